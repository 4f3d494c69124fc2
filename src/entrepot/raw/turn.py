"""`Turn`: one task at a time makes a value that all wait for."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from entrepot.errors import Error

if TYPE_CHECKING:
    from .runtime import Runtime


class Turn:
    """Lets one task of an event loop load at a time, and remembers the last failure for the tasks that waited.

    Arguments:
        runtime: makes the lock.
    """

    __slots__ = ("failure", "failures", "lock")

    def __init__(self, runtime: Runtime) -> None:
        self.lock = runtime.lock()
        self.failures = 0
        self.failure = Error("")

    def fail(self, error: Error) -> None:
        """Remembers a failure."""
        self.failures += 1
        self.failure = copy(error)  # without the traceback, which holds frames
