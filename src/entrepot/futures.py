"""The second spelling of every operation: `op.read_with(path).range(0, 8).if_match(etag)`, then awaited.

The options of both spellings are the fields of the `Op*` records (`raw/ops.py`). Builders are immutable:
each option gives a new one, so a half-built one can be shared. One that is never used warns like a
coroutine that is never awaited.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypedDict, TypeVar

from entrepot.errors import InvalidInput
from entrepot.raw.ops import DEFAULT_READ, DEFAULT_STAT, OpRead, OpStat
from entrepot.types import BytesRange, Metadata
from entrepot.types.integers import as_integer

if TYPE_CHECKING:
    from entrepot.reader import Reader

T = TypeVar("T")
Path = str | os.PathLike[str]
Range = BytesRange | tuple[int, int | None]


class StatOptions(TypedDict, total=False):
    """Options of `stat`; see `OpStat`."""

    version: str | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: datetime | None
    if_unmodified_since: datetime | None


class ReaderOptions(StatOptions, total=False):
    """Options of `read` and `reader`; see `OpRead`."""

    range: Range
    chunk: int | None
    concurrent: int | None
    gap: int
    content_length_hint: int | None


class AskedRange(NamedTuple):
    """A range as a builder was given it, to be checked when the call is made."""

    start: Any
    end: Any
    suffix: Any


def stat_args(options: Mapping[str, Any]) -> OpStat:
    """The checked arguments of a stat.

    Raises:
        InvalidInput: a value cannot work.
        TypeError: there is no such option.
    """
    return OpStat(**_checked(OpStat, options)) if options else DEFAULT_STAT


def read_args(options: Mapping[str, Any]) -> OpRead:
    """The checked arguments of a read.

    Raises:
        InvalidInput: a value cannot work.
        TypeError: there is no such option.
    """
    return OpRead(**_checked(OpRead, options)) if options else DEFAULT_READ


def _checked(arguments: type[OpStat | OpRead], options: Mapping[str, Any]) -> dict[str, Any]:
    known = _OPTIONS[arguments]
    for name in options:
        if name not in known:
            raise TypeError(f"there is no option {name!r}; the options are {', '.join(known)}")
    return {name: _CHECKS[name](name, value) for name, value in options.items()}


def _range(name: str, value: Any) -> BytesRange:
    return BytesRange(*value) if isinstance(value, AskedRange) else BytesRange.of(value)


def _text(name: str, value: Any) -> str | None:
    """Text that can stand in a header or a query."""
    if value is None or (isinstance(value, str) and value.isprintable() and value.isascii() and value):
        return value
    raise InvalidInput(f"{name} is printable ASCII text and not empty, not {value!r}")


def _moment(name: str, value: Any) -> datetime | None:
    if value is None or (isinstance(value, datetime) and value.tzinfo is not None):
        return value
    raise InvalidInput(f"{name} is a datetime with a time zone, not {value!r}")


def _positive(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 1)


def _size(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 0)


def _gap(name: str, value: Any) -> int:
    return as_integer(name, value, 0)


_OPTIONS = {arguments: tuple(option.name for option in fields(arguments)) for arguments in (OpStat, OpRead)}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "range": _range,
    "version": _text,
    "if_match": _text,
    "if_none_match": _text,
    "if_modified_since": _moment,
    "if_unmodified_since": _moment,
    "chunk": _positive,
    "concurrent": _positive,
    "gap": _gap,
    "content_length_hint": _size,
}


class Future(Generic[T]):
    """An operation that is still being described. Awaiting it makes the call.

    Arguments:
        call: makes the call, with the path and the options.
        name: what to call it in a warning.
        path: the path to operate on.
        options: the options so far.
    """

    def __init__(
        self, call: Callable[[Path, Mapping[str, Any]], Awaitable[T]], name: str, path: Path, options: Mapping[str, Any]
    ) -> None:
        self._call = call
        self._name = name
        self._path = path
        self._options = options
        self._used = False

    def _with(self, **options: Any) -> Self:
        self._used = True
        return type(self)(self._call, self._name, self._path, {**self._options, **options})

    def __await__(self) -> Generator[Any, Any, T]:
        self._used = True
        return self._call(self._path, self._options).__await__()

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self._options.items())
        return f"<{self._name}({self._path!r}{options})>"

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(f"{self!r} was never awaited", RuntimeWarning, stacklevel=1, source=self)


class _Conditions(Future[T]):
    def version(self, version: str) -> Self:
        """The version of the object. Requires `*_with_version`."""
        return self._with(version=version)

    def if_match(self, etag: str) -> Self:
        """Only if the object has this etag. Requires `*_with_if_match`."""
        return self._with(if_match=etag)

    def if_none_match(self, etag: str) -> Self:
        """Only if the object has another etag. Requires `*_with_if_none_match`."""
        return self._with(if_none_match=etag)

    def if_modified_since(self, moment: datetime) -> Self:
        """Only if written after this time, which has a time zone. Requires `*_with_if_modified_since`."""
        return self._with(if_modified_since=moment)

    def if_unmodified_since(self, moment: datetime) -> Self:
        """Only if the object was not written after this time. Requires `*_with_if_unmodified_since`."""
        return self._with(if_unmodified_since=moment)


class FutureStat(_Conditions[Metadata]):
    """`stat` being described; awaiting it gives the `Metadata`."""


class _Reading(_Conditions[T]):
    def range(self, start: int = 0, end: int | None = None, *, suffix: int | None = None) -> Self:
        """The bytes from `start` up to, not including, `end`; or the last `suffix` bytes."""
        return self._with(range=AskedRange(start, end, suffix))

    def chunk(self, size: int) -> Self:
        """Hint: read in requests of `size` bytes. By default one stream."""
        return self._with(chunk=size)

    def concurrent(self, requests: int) -> Self:
        """Hint: keep so many requests in flight. By default 1 for a stream, 8 for `fetch`."""
        return self._with(concurrent=requests)

    def gap(self, size: int) -> Self:
        """Hint: `fetch` joins ranges at most `size` bytes apart. By default 1 MiB."""
        return self._with(gap=size)

    def content_length_hint(self, size: int) -> Self:
        """Hint: the object is believed to have `size` bytes, so that chunks can be asked for ahead."""
        return self._with(content_length_hint=size)


class FutureRead(_Reading[bytes]):
    """`read` being described; awaiting it gives the bytes."""


class FutureReader(_Reading["Reader"]):
    """`reader` being described. It can be awaited, entered with `async with`, or iterated by chunks."""

    _entered: Reader | None = None

    async def __aenter__(self) -> Reader:
        if self._entered is not None:
            raise InvalidInput("this has been entered already; each `async with` needs one of its own")
        self._entered = await self
        return self._entered

    async def __aexit__(self, *exc_info: object) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with await self as reader:
            while chunk := await reader.next():  # not `async for`: of two generators each would be closed on its own
                yield chunk
