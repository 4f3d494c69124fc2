"""What wraps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import ClassVar

from .accessor import Accessor
from .context import Context


class Layer:
    """Something around a service. Both hooks are optional; what a layer knows lives in the layer.

    The layer added last is the outermost. Hooks run whenever a stack is built, so one layer may wrap
    several stacks, and it holds nothing that belongs to an event loop (use `runtime.local` for that).

    Attributes:
        goes_inside: the layers, by the name of their class, that this one makes no sense outside of, and why. Added
            after one of them it warns.
    """

    goes_inside: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def wrap_context(self, context: Context) -> Context:
        """A context that the service is built with, for layers around HTTP requests or time."""
        return context

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        """An accessor around another, for layers around operations and bodies.

        Arguments:
            accessor: what is wrapped.
            context: what the service of this stack was built with: `context.runtime` waits.
        """
        return accessor


def warn_of_order(layers: Sequence[Layer]) -> None:
    """Warns of layers that are added after one that they go inside of, once in a process for each two classes."""
    for place, layer in enumerate(layers):
        for inner in layers[:place]:
            name = type(inner).__name__
            if name in layer.goes_inside:
                _warn_once(type(layer).__name__, name, layer.goes_inside[name])


@cache
def _warn_once(outer: str, inner: str, reason: str) -> None:
    message = f"{outer} is outside {inner}: {reason}. The layer added last is the outermost: add {outer} before {inner}"
    warnings.warn(message, UserWarning, stacklevel=4)  # where `Operator.layer` is called
