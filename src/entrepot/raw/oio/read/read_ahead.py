"""`ReadAhead`: how many bytes a reader requests at a time, and whether it reads the rest of a response.

Theory of operation. A reader has at most one response at a time. A read that the response cannot serve leads to another
request, and this policy says for how many bytes. It makes no request itself: it knows only where the last one ended.

    the request                         without a limit               with a limit
    first, at the start of the range    to the end                    as where a request ended
    after a jump                        the bytes read now            the bytes read now
    where the last request ended        `START`, doubled each time    the same, up to the limit
    in the last one, after an error     the rest of it                the rest of it
    for everything                      to the end                    to the end
    where the server ignores ranges     to the end                    to the end

No request is smaller than the read. So a reader that never seeks makes one request, and random access costs the bytes
that it reads. A gap that is no larger than the last request counts as its continuation, so that small reads close to
each other share requests.

The rest of a response is read and dropped if that is cheaper than another connection (`DRAIN_LIMIT`), and so are the
bytes up to a position ahead (`SKIP_LIMIT`).
"""

from __future__ import annotations

from typing import Final

from .api import WHOLE

START: Final = 8 * 1024
"""The size of the first request ahead in bytes: about what the header of a format and a buffered file take."""

SKIP_LIMIT: Final = 64 * 1024
"""The most bytes that are read and dropped to reach a position ahead: less than arrives during a round trip."""

DRAIN_LIMIT: Final = 256 * 1024
"""The most bytes that are read and dropped to keep a connection. Another one takes about four round trips: TCP, TLS,
and a slow start."""

TAIL: Final = 64 * 1024
"""How much is read at once at the end of an object, where formats such as zip have several small records."""


class ReadAhead:
    """Decides the size of each request of one reader. Positions are bytes from the start of its range.

    Arguments:
        limit: the most bytes that a request has ahead of demand; None for the default.
    """

    __slots__ = ("_ahead", "_end", "_limit", "_size")

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._end = None if limit is None else 0
        self._size = 0
        self._ahead = 0

    def size_of(self, position: int, n: int, *, has_moved: bool, is_whole: bool = False) -> int | None:
        """Returns the number of bytes to request, and takes it as requested; None for all to the end of the range.

        Arguments:
            position: where the request starts.
            n: the number of bytes that are needed now.
            has_moved: whether the position is elsewhere than the last bytes ended.
            is_whole: whether the server sends the whole object, whatever is requested.
        """
        if n >= WHOLE or is_whole or (self._end is None and not has_moved):
            self._end = None
            return None
        self._size = max(n, self._beyond_demand(position))
        self._end = position + self._size
        return self._size

    def wants_tail(self, position: int, size: int) -> bool:
        """Whether the end of an object of `size` bytes is read at once, for a position that was sought from its end."""
        return self._limit is not None and 0 < size - position <= TAIL <= self._limit

    def _beyond_demand(self, position: int) -> int:
        end = self._end
        if end is not None and end - self._size <= position < end:
            return end - position
        is_next = end is not None and 0 <= position - end <= min(self._size, SKIP_LIMIT)
        self._ahead = max(START, 2 * self._ahead) if is_next else 0
        return self._ahead if self._limit is None else min(self._ahead, self._limit)


def is_cheaper_to_drain(rest: int | None) -> bool:
    """Whether to read the rest of a response, of this many bytes, and keep its connection; None if unknown."""
    return rest is not None and rest <= DRAIN_LIMIT
