"""The read oracle: checks that a reader returns the right bytes, for any verbs in any order.

A checker knows the content and tracks the position itself. It makes each step on the reader, compares the result,
and raises `OracleViolation` where the reader differs. It needs no test framework:

    for trap in TRAPS:
        await op.write("trap", trap.content)
        checker = ReaderChecker(await op.reader("trap", range=trap.range), trap.expected)
        await checker.check(trap.steps)

The contract of a reader: data equals the slice of the content; `read(0)` is empty, and any other empty result is the
end; a seek before the start raises `InvalidInput` and leaves the position; a seek past the end is allowed, and
reads there are empty; `next` returns None at the end only, and never an empty chunk.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import ContentIncomplete, InvalidInput, RangeNotSatisfied
from entrepot.types import BytesRange

if TYPE_CHECKING:
    from entrepot.facade.reader import Reader
    from entrepot.raw import oio

Step = tuple[Any, ...]
"""The name of a method of the checker, and its arguments: `("seek", -1, os.SEEK_END)`."""


class OracleViolation(AssertionError):
    """A reader broke the contract."""


class BodyChecker:
    """Checks a raw body, as an accessor returns it: `read`, `seek` and `next`.

    Arguments:
        body: the body, not used yet.
        content: the bytes of the range that it was opened for.
    """

    def __init__(self, body: oio.Read, content: bytes) -> None:
        self.body = body
        self.content = content
        self.position = 0

    async def check(self, steps: Iterable[Step]) -> None:
        """Makes the steps, in order.

        Raises:
            OracleViolation: a step had a wrong result.
        """
        for name, *arguments in steps:
            await getattr(self, name)(*arguments)

    async def read(self, n: int) -> None:
        """Reads at most `n` bytes; -1 reads as much as the body returns by one call."""
        data = await self.body.read(len(self.content) + 1 if n == -1 else n)
        if n != -1:
            _require(len(data) <= n, f"read({n}) gave {len(data)} bytes")
        _require(data or n == 0 or not self._left(), f"read({n}) is empty before the end, at {self.position}")
        self._advance(data, f"read({n})")

    async def next(self) -> None:
        """Takes the next chunk."""
        data = await self.body.next()
        _require(data != b"", "next gave an empty chunk")
        _require(data is not None or not self._left(), f"next gave None before the end, at {self.position}")
        self._advance(data or b"", "next")

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Moves the position. A position before the start must be refused."""
        target = self._target(offset, whence)
        try:
            position = await self.body.seek(offset, whence)
        except InvalidInput:
            _require(target < 0, f"seek({offset}, {whence}) to {target} was refused")
            return
        _require(position == target, f"seek({offset}, {whence}) gave {position}, not {target}")
        self.position = target

    async def close(self) -> None:
        """Closes the body."""
        await self.body.close()

    def _target(self, offset: int, whence: int) -> int:
        return offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: len(self.content)}[whence]

    def _left(self) -> int:
        return max(0, len(self.content) - self.position)

    def _advance(self, data: bytes, what: str) -> None:
        expected = self.content[self.position : self.position + len(data)]
        _require(data == expected, f"{what} at {self.position} gave {_short(data)}, not {_short(expected)}")
        self.position += len(data)


class ReaderChecker(BodyChecker):
    """Checks a `Reader`, with all of its methods.

    Arguments:
        reader: the reader, not used yet.
        content: the bytes of the range that it was opened for.
    """

    def __init__(self, reader: Reader, content: bytes) -> None:
        self.reader = reader
        self.content = content
        self.position = 0
        self._chunks: AsyncGenerator[bytes, None] | None = None

    async def check(self, steps: Iterable[Step]) -> None:
        for step in steps:
            await super().check([step])
            self.tell()

    async def read(self, n: int = -1) -> None:
        """Reads `n` bytes, or all that are left."""
        data = await self.reader.read(n)
        self._is_exactly(data, self._left() if n == -1 else n, f"read({n})")

    async def readinto(self, n: int) -> None:
        """Fills a buffer of `n` bytes."""
        buffer = bytearray(b"\xaa" * n)
        count = await self.reader.readinto(buffer)
        _require(buffer[count:] == b"\xaa" * (n - count), "readinto wrote more than it reports")
        self._is_exactly(bytes(buffer[:count]), n, f"readinto({n})")

    async def readexactly(self, n: int) -> None:
        """Reads `n` bytes. Where fewer are left it must be refused and leave the position."""
        try:
            data = await self.reader.readexactly(n)
        except ContentIncomplete:
            _require(n > self._left(), f"readexactly({n}) was refused with {self._left()} bytes left")
            return
        self._is_exactly(data, n, f"readexactly({n})")
        _require(len(data) == n, f"readexactly({n}) gave {len(data)} bytes")

    async def next(self) -> None:
        """Receives the next bytes; the end is `anyio.EndOfStream`."""
        await self.receive(1 << 20)

    async def receive(self, n: int) -> None:
        """Receives at most `n` bytes; the end is `anyio.EndOfStream`."""
        from anyio import EndOfStream

        try:
            data = await self.reader.receive(n)
        except EndOfStream:
            _require(not self._left(), f"receive({n}) ended early, at {self.position}")
            return
        _require(0 < len(data) <= n, f"receive({n}) gave {len(data)} bytes")
        self._advance(data, f"receive({n})")

    async def iterate(self) -> bool:
        """Takes the next chunk of the iteration. Returns False at its end, which closes the reader."""
        self._chunks = self._chunks or self.reader.__aiter__()  # type: ignore[assignment]
        data = await anext(self._chunks, None)  # type: ignore[arg-type]
        _require(data != b"", "the iteration gave an empty chunk")
        _require(data is not None or not self._left(), f"the iteration ended early, at {self.position}")
        self._advance(data or b"", "the iteration")
        return data is not None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Moves the position. A position before the start must be refused."""
        target = self._target(offset, whence)
        try:
            position = await self.reader.seek(offset, whence)
        except InvalidInput:
            _require(target < 0, f"seek({offset}, {whence}) to {target} was refused")
            return
        _require(position == target, f"seek({offset}, {whence}) gave {position}, not {target}")
        self.position = target

    def tell(self) -> None:
        """Compares the position."""
        position = self.reader.tell()
        _require(position == self.position, f"tell() gave {position}, not {self.position}")

    async def size(self) -> None:
        """Compares the size, which leaves the position."""
        size = await self.reader.size()
        _require(size == len(self.content), f"size() gave {size}, not {len(self.content)}")

    async def fetch(self, ranges: Sequence[BytesRange | tuple[int, int | None]]) -> None:
        """Fetches ranges, which leaves the position. A range that starts past the end is refused unless it is empty."""
        parts = [BytesRange.of(part) for part in ranges]
        is_past_end = any(part.start > len(self.content) and not part.is_empty for part in parts)
        try:
            fetched = await self.reader.fetch(parts)
        except RangeNotSatisfied:
            _require(is_past_end, f"fetch({ranges}) was refused")
            return
        _require(not is_past_end, f"fetch({ranges}) returned bytes from past the end")
        expected = [self._slice(part) for part in parts]
        _require(fetched == expected, f"fetch({ranges}) returned other bytes than the slices")

    async def close(self) -> None:
        """Closes the iteration, if it was started, and the reader."""
        if self._chunks is not None:
            await self._chunks.aclose()
        await self.reader.aclose()

    def _slice(self, part: BytesRange) -> bytes:
        return b"" if part.is_empty else self.content[slice(*part.resolve(len(self.content)))]

    def _is_exactly(self, data: bytes, n: int, what: str) -> None:
        expected = min(n, self._left())
        _require(len(data) == expected, f"{what} at {self.position} gave {len(data)} of {expected} bytes")
        self._advance(data, what)


@dataclass(frozen=True, slots=True)
class Trap:
    """A sequence of steps at which some reader failed once.

    Arguments:
        name: a description.
        content: the object.
        range: the range that is opened.
        steps: the steps; each is a method of both checkers.
    """

    name: str
    content: bytes
    range: BytesRange
    steps: tuple[Step, ...]

    @property
    def expected(self) -> bytes:
        """The bytes of the range."""
        start, end = self.range.resolve(len(self.content))
        return self.content[start:end]


_SET, _CUR, _END = os.SEEK_SET, os.SEEK_CUR, os.SEEK_END
_READ_ALL: Final = (("read", -1), ("read", -1), ("read", -1))
_TEXT: Final = b"0123456789abcdefghij"

TRAPS: Final = (
    Trap("seek from the end to before the window", b"ab", BytesRange(1, 2), (("seek", -2, _END), *_READ_ALL)),
    Trap("seek from the position to before the window", b"ab", BytesRange(1, 2), (("seek", -1, _CUR), *_READ_ALL)),
    Trap(
        "refused seek leaves the position",
        _TEXT,
        BytesRange(4, 12),
        (("read", 3), ("seek", -9, _END), ("seek", -4, _CUR), ("seek", -1, _SET), *_READ_ALL),
    ),
    Trap(
        "read beyond the end",
        b"x",
        BytesRange(),
        (("seek", 33, _SET), ("read", 32), ("next",), ("seek", 0, _SET), *_READ_ALL),
    ),
    Trap(
        "seek before the start",
        b"x",
        BytesRange(),
        (("seek", -1, _SET), ("seek", -1, _CUR), ("seek", -2, _END), *_READ_ALL),
    ),
    Trap(
        "seek far beyond the end",
        b"x",
        BytesRange(),
        (("seek", 1 << 40, _SET), ("read", 1), ("seek", -1, _END), *_READ_ALL),
    ),
    Trap(
        "next after a relative seek", b"x", BytesRange(), (("seek", 1, _CUR), ("next",), ("seek", -1, _END), ("next",))
    ),
    Trap(
        "seek to the end after next",
        b"x",
        BytesRange(),
        (("next",), ("seek", 1, _CUR), ("next",), ("seek", 0, _END), ("read", 1)),
    ),
    Trap(
        "relative seek with bytes in a buffer",
        _TEXT,
        BytesRange(),
        (("read", 3), ("seek", 2, _CUR), ("read", 2), ("seek", -4, _CUR), ("next",), ("seek", -1, _CUR), *_READ_ALL),
    ),
    Trap("nothing but read(0)", _TEXT, BytesRange(), (("read", 0), ("seek", 5, _SET), ("read", 0), ("read", 1))),
    Trap(
        "the window ends before the object",
        _TEXT,
        BytesRange(2, 5),
        (("seek", 0, _END), ("read", 4), ("seek", 1, _SET), *_READ_ALL),
    ),
    Trap(
        "the window ends past the object",
        _TEXT,
        BytesRange(15, 99),
        (("seek", -2, _END), ("next",), ("seek", 0, _SET), *_READ_ALL),
    ),
    Trap(
        "the window starts at the end",
        _TEXT,
        BytesRange(20),
        (("read", 1), ("next",), ("seek", 0, _END), ("seek", -1, _END), ("read", 1)),
    ),
    Trap(
        "the window is empty",
        _TEXT,
        BytesRange(7, 7),
        (("read", 1), ("next",), ("seek", -1, _END), ("seek", 3, _SET), ("read", 1)),
    ),
    Trap(
        "a suffix",
        _TEXT,
        BytesRange(suffix=4),
        (("seek", -5, _END), ("seek", 1, _SET), ("read", 2), ("seek", 0, _SET), *_READ_ALL),
    ),
    Trap("a suffix longer than the object", _TEXT, BytesRange(suffix=99), (("next",), ("seek", -20, _END), *_READ_ALL)),
    Trap(
        "a suffix of an empty object",
        b"",
        BytesRange(suffix=4),
        (("read", 4), ("next",), ("seek", 0, _END), ("seek", -1, _END)),
    ),
    Trap(
        "beyond the end of a suffix longer than the object",
        b"x",
        BytesRange(suffix=9),
        (("seek", 4, _SET), ("next",), ("read", 1), ("seek", -4, _CUR), *_READ_ALL),
    ),
    Trap(
        "an empty object",
        b"",
        BytesRange(),
        (("read", -1), ("next",), ("seek", -1, _END), ("seek", 2, _SET), ("read", 1), ("seek", -1, _CUR), ("next",)),
    ),
    Trap(
        "back from the end",
        _TEXT,
        BytesRange(),
        (*_READ_ALL, ("next",), ("seek", -3, _CUR), ("next",), ("seek", 0, _SET), ("read", 1)),
    ),
)
"""Sequences that broke readers before, here or elsewhere. Every service must pass them all."""


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise OracleViolation(otherwise)


def _short(data: bytes) -> str:
    return repr(data) if len(data) <= 40 else f"{data[:40]!r} and so on ({len(data)} bytes)"
