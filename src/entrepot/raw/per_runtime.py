"""What all stacks of one layer share, on each event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .runtime import Local, Runtime

T = TypeVar("T")


class PerRuntime(Generic[T]):
    """A value of a layer, however many stacks it is in: one for each event loop, and one for all threads without.

    A pickle holds how it is made, and not the value.

    Arguments:
        make: makes the value, for a runtime.
    """

    def __init__(self, make: Callable[[Runtime], T]) -> None:
        self._make = make
        self._locals: dict[type[Runtime], Local[T]] = {}

    def on(self, runtime: Runtime) -> Local[T]:
        """The value, for runtimes of the kind of this one."""
        kind = type(runtime)
        if kind not in self._locals:
            self._locals.setdefault(
                kind, runtime.local(partial(self._make, runtime))
            )  # of two threads, the first one's
        return self._locals[kind]

    def __reduce__(self) -> tuple[type[PerRuntime[T]], tuple[Callable[[Runtime], T]]]:
        return type(self), (self._make,)
