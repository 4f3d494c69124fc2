"""The default retries and time limits of an operator over a remote service."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.layers import RetryLayer, TimeoutLayer
    from entrepot.raw import Layer


class Resilience:
    """A default `TimeoutLayer` and `RetryLayer`, each replaced by a layer of its class that the caller adds.

    Both are innermost, as if the caller had added them first, with the time limit inside the retries. If the caller
    adds a layer that must be inside retries (`Layer.goes_inside`), such as another `TimeoutLayer`, the default retries
    are directly outside that layer.

    An operator and all operators derived from it share one object, and thus one retry budget. The layers are made, and
    their modules imported, when the first stack needs them, which a stack on a local disk never does.
    """

    def around(self, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """The layers of the caller with the default layers among them.

        Arguments:
            layers: the layers of the caller, the last one outermost.
        """
        from entrepot.layers import RetryLayer, TimeoutLayer

        stack = list(layers)
        if not _has(RetryLayer, layers):
            stack.insert(_place_outside_of_what_is_retried(layers), self._retry)
        if not _has(TimeoutLayer, layers):
            stack.insert(0, self._timeout)
        return tuple(stack)

    @cached_property
    def _retry(self) -> RetryLayer:
        from entrepot.layers import RetryLayer

        return RetryLayer()

    @cached_property
    def _timeout(self) -> TimeoutLayer:
        from entrepot.layers import TimeoutLayer

        return TimeoutLayer.default()


def _has(kind: type[Layer], layers: tuple[Layer, ...]) -> bool:
    return any(isinstance(layer, kind) for layer in layers)


def _place_outside_of_what_is_retried(layers: tuple[Layer, ...]) -> int:
    inside = [place for place, layer in enumerate(layers) if "RetryLayer" in layer.goes_inside]
    return inside[-1] + 1 if inside else 0
