"""The tokens of pages, which a faulty server may return in a circle.

Theory of operation. To notice any circle in constant memory, one token is remembered, and replaced at steps 1, 2, 4, 8,
... (Brent's algorithm): once that distance is longer than the circle, the remembered one comes again.
"""

from __future__ import annotations


class SeenTokens:
    """The tokens that a server has returned, as far as it takes to notice that they repeat.

    Attributes:
        last: the token of the next page; None before the first one.
    """

    __slots__ = ("_marked", "_until_mark", "last")

    def __init__(self) -> None:
        self.last: str | None = None
        self._marked: str | None = None
        self._until_mark = Doubling()

    def __contains__(self, token: str) -> bool:
        """Whether a token is known to have been returned before."""
        return token in (self.last, self._marked)

    def add(self, token: str) -> None:
        """Records the token of the next page."""
        self.last = token
        if self._until_mark.is_due():
            self._marked = token


class Doubling:
    """A counter that is due at the first call, the second, the fourth, the eighth, ..."""

    __slots__ = ("_calls", "_due")

    def __init__(self) -> None:
        self._calls = 0
        self._due = 1

    def is_due(self) -> bool:
        self._calls += 1
        if self._calls < self._due:
            return False
        self._due *= 2
        return True
