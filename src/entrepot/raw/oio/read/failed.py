"""The body of a read whose first attempt has failed."""

from __future__ import annotations

from .api import Read


class FailedReader(Read):
    """Raises an error at the first verb that returns bytes. Afterwards it is the inner body.

    So whoever wraps or calls bodies handles a failure of `Accessor.read_whole` as a failure of the verb.

    Arguments:
        inner: a body, opened for the next attempt.
        error: the error of the first attempt.
    """

    __slots__ = ("_error", "_inner", "close", "seek")

    def __init__(self, inner: Read, error: Exception) -> None:
        self._inner = inner
        self._error: Exception | None = error
        self.seek = inner.seek  # type: ignore[method-assign]
        self.close = inner.close  # type: ignore[method-assign]

    @property
    def is_at_end(self) -> bool:
        return self._error is None and self._inner.is_at_end

    @property
    def remaining(self) -> int | None:
        return self._inner.remaining

    async def read(self, n: int) -> bytes:
        self._raise()
        return await self._inner.read(n)

    async def readinto(self, buffer: memoryview) -> int:
        self._raise()
        return await self._inner.readinto(buffer)

    async def next(self) -> bytes | None:
        self._raise()
        return await self._inner.next()

    def _raise(self) -> None:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # no local variable: the traceback of the error would refer to it, in a cycle
