"""How many tasks are in flight. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from entrepot import Error, RateLimited, Timeout

PER_THREAD: Final = 2
"""Tasks in flight for each thread of the workers: one that runs, and one that is there when it ends."""

_BACK: Final = 0.5


class Window:
    """The number of tasks in flight. It gives way when the storage throttles, and recovers.

    A task whose objects were throttled, although its operators had waited and tried again, halves the window, down to
    one task. Each task without that widens it by the reciprocal of its size, so that it grows by one for each round of
    tasks.

    Arguments:
        most: the most tasks in flight, at least 1.
    """

    __slots__ = ("_most", "_size")

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._size = float(self._most)

    @property
    def size(self) -> int:
        """The tasks that may be in flight now."""
        return max(1, int(self._size))

    def note(self, failures: Iterable[Error]) -> None:
        """Notes the failures of a task that ended."""
        if any(is_throttled(error) for error in failures):
            self._size = max(1.0, self._size * _BACK)
        else:
            self._size = min(float(self._most), self._size + 1 / self._size)


def is_throttled(error: Error) -> bool:
    """Whether an error says that the storage has more requests than it takes."""
    return isinstance(error, RateLimited | Timeout) or error.context.get("status") == _UNAVAILABLE


_UNAVAILABLE: Final = 503
