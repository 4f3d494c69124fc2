"""The layer interface, and the warning about layers in the wrong order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import ClassVar

from .accessor import Accessor
from .context import Context


class Layer:
    """A wrapper around a service. Both hooks are optional; the state of a layer lives in the layer object.

    The layer added last is the outermost. Hooks run whenever a stack is built, so one layer may wrap
    several stacks. It holds nothing that belongs to an event loop; use `runtime.local` for such values.

    Attributes:
        goes_inside: class names of the layers that must be outside of this one, each with the reason. Adding this
            layer after one of them warns.
        WORKS_WITHOUT_LOOP: whether blocking calls through this layer may be made without an event loop, some of them,
            while others are made on the background loop. The layer then waits by `context.runtime` alone, and has no
            limit or state that both kinds of calls must share. It holds for the class that sets it, and not for its
            subclasses. By default False: over a network, every blocking call then has an event loop.
    """

    WORKS_WITHOUT_LOOP: ClassVar[bool] = False
    goes_inside: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def wrap_context(self, context: Context) -> Context:
        """Returns the context that the service is built with. For layers around HTTP requests or time."""
        return context

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        """Returns an accessor around another. For layers around operations and bodies.

        Arguments:
            accessor: the inner accessor.
            context: the context that the service of this stack was built with; `context.runtime` waits.
        """
        return accessor


def warn_of_order(layers: Sequence[Layer]) -> None:
    """Warns of layers added after a layer that must be outside of them, once per process and pair of classes."""
    for index, layer in enumerate(layers):
        for inner in layers[:index]:
            name = type(inner).__name__
            if name in layer.goes_inside:
                _warn_once(type(layer).__name__, name, layer.goes_inside[name])


@cache
def _warn_once(outer: str, inner: str, reason: str) -> None:
    message = f"{outer} is outside {inner}: {reason}. The layer added last is the outermost: add {outer} before {inner}"
    warnings.warn(message, UserWarning, stacklevel=4)  # where `Operator.layer` is called
