"""The retries and time limits that an operator has by default where its service goes over a network."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.layers import RetryLayer, TimeoutLayer
    from entrepot.raw import Layer


class Resilience:
    """A `TimeoutLayer` and a `RetryLayer`, each of which gives way to one that the caller adds.

    They stand where the caller would have added them first: the time limit inside the retries, both inside of every
    other layer. Only a layer that must be inside of retries (`Layer.goes_inside`), such as a `TimeoutLayer` of the
    caller, moves the default retries: to right outside of it.

    An operator and those derived from it share one object, and so the budget of its retries. The layers are made, and
    their modules imported, when the first stack needs them: one on a local disk never does.
    """

    def around(self, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """The layers of the caller with the default ones among them.

        Arguments:
            layers: those of the caller, the last one outermost.
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
