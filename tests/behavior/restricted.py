"""Services that are less than they could be, or worse: what the suite must see through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from entrepot.raw import Accessor, Context, Layer, ServiceConfig
from entrepot.services import Memory
from entrepot.types import Capability


@dataclass(frozen=True)
class Restricted(ServiceConfig):
    """Memory that says it can less.

    Arguments:
        without: the flags that it has not, with blanks between.
    """

    SCHEME = "restricted"

    without: str = ""

    def build(self, context: Context) -> Accessor:
        accessor = Memory(versioned=True).build(context)
        accessor.info = replace(accessor.info, native_capability=self.capability(), capability=self.capability())
        return accessor

    def capability(self) -> Capability:
        full = Memory(versioned=True).build(Context()).info.native_capability
        return replace(full, **dict.fromkeys(self.without.split(), False))


class Wrapped(Layer):
    """A layer from a class of accessors."""

    def __init__(self, wrap: Callable[[Accessor], Accessor]) -> None:
        self._wrap = wrap

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return self._wrap(accessor)
