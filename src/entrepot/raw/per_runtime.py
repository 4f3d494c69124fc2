"""`PerRuntime`: state that all stacks of one layer share, on each event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .runtime import Local, Runtime

T = TypeVar("T")


class PerRuntime(Generic[T]):
    """A layer's value, shared by all of its stacks: one per event loop, and one for all threads without a loop.

    A pickle holds `make` and not the value.

    Arguments:
        make: makes the value for a runtime.
    """

    def __init__(self, make: Callable[[Runtime], T]) -> None:
        self._make = make
        self._locals: dict[type[Runtime], Local[T]] = {}

    def on(self, runtime: Runtime) -> Local[T]:
        """Returns the value for runtimes of this runtime's class."""
        kind = type(runtime)
        if kind not in self._locals:
            made = runtime.local(partial(self._make, runtime))
            self._locals.setdefault(kind, made)  # of two threads, the first one's stays
        return self._locals[kind]

    def __reduce__(self) -> tuple[type[PerRuntime[T]], tuple[Callable[[Runtime], T]]]:
        return type(self), (self._make,)
