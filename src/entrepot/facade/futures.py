"""The second spelling of every operation: `op.read_with(path).range(0, 8).if_match(etag)`, then awaited.

The options of both spellings are the fields of the `Op*` records (`raw/ops.py`). Builders are immutable:
each option gives a new one, so a half-built one can be shared. One that is never used warns like a
coroutine that is never awaited.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from entrepot.errors import InvalidInput
from entrepot.types import Entry, Metadata, PresignedRequest
from entrepot.types.shown import shown

from .options import AskedRange, Path

if TYPE_CHECKING:
    from entrepot.types import Copied  # noqa: F401 - a base below names it

    from .lister import Lister  # noqa: F401 - a base below names it
    from .reader import Reader  # noqa: F401 - a base below names it
    from .writer import Writer  # noqa: F401 - a base below names it

T = TypeVar("T")


class Future(Generic[T]):
    """An operation that is still being described. Awaiting it makes the call.

    Arguments:
        call: makes the call, with what it is about and then the options.
        name: what to call it in a warning.
        about: what it is about: a path, a path and data, or two paths.
        options: the options so far.
    """

    def __init__(
        self, call: Callable[..., Awaitable[T]], name: str, about: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        self._call = call
        self._name = name
        self._about = about
        self._options = options
        self._used = False

    def _with(self, **options: Any) -> Self:
        self._used = True
        return type(self)(self._call, self._name, self._about, {**self._options, **options})

    def __await__(self) -> Generator[Any, Any, T]:
        self._used = True
        return self._call(*self._about, self._options).__await__()

    def __repr__(self) -> str:
        return described(self._name, self._about, self._options)

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(f"{self!r} was never awaited", RuntimeWarning, stacklevel=1, source=self)


def described(name: str, about: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """The repr of a call that is still being described: its paths, numbers and ranges, and the types of the rest."""
    paths = [repr(one) if isinstance(one, str | os.PathLike) else f"<{type(one).__name__}>" for one in about]
    named = [f"{option}={_shown_option(value)}" for option, value in options.items()]
    return f"<{name}({', '.join([*paths, *named])})>"


def _shown_option(value: object) -> str:
    if isinstance(value, AskedRange):
        return f"AskedRange(start={shown(value.start)}, end={shown(value.end)}, suffix={shown(value.suffix)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return shown(value)


class _Enterable(Protocol):
    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


E = TypeVar("E", bound=_Enterable)


class _Entered(Future[E]):
    """One that gives something to be entered, and can be entered in its place."""

    _entered: E | None = None

    async def __aenter__(self) -> E:
        if self._entered is not None:
            raise InvalidInput("this has been entered already; each `async with` needs one of its own")
        self._entered = await self
        return await self._entered.__aenter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.__aexit__(exc_type, exc, traceback)


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


class _Overrides(_Conditions[T]):
    def override_content_type(self, media_type: str) -> Self:
        """The Content-Type that the reply shall state. Requires `*_with_override_content_type`."""
        return self._with(override_content_type=media_type)

    def override_content_disposition(self, disposition: str) -> Self:
        """The Content-Disposition that the reply shall state. Requires `*_with_override_content_disposition`."""
        return self._with(override_content_disposition=disposition)

    def override_cache_control(self, directives: str) -> Self:
        """The Cache-Control that the reply shall state. Requires `*_with_override_cache_control`."""
        return self._with(override_cache_control=directives)


class FutureStat(_Overrides[Metadata]):
    """`stat` being described; awaiting it gives the `Metadata`."""


class _Ranged(_Overrides[T]):
    def range(self, start: int = 0, end: int | None = None, *, suffix: int | None = None) -> Self:
        """The bytes from `start` up to, not including, `end`; or the last `suffix` bytes."""
        return self._with(range=AskedRange(start, end, suffix))


class _Reading(_Ranged[T]):
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


class FutureReader(_Reading["Reader"], _Entered["Reader"]):
    """`reader` being described. It can be awaited, entered with `async with`, or iterated by chunks."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with await self as reader:
            while chunk := await reader.next():  # not `async for`: of two generators each would be closed on its own
                yield chunk


class _Storing(Future[T]):
    def content_type(self, media_type: str) -> Self:
        """The media type to store. Requires `write_with_content_type`."""
        return self._with(content_type=media_type)

    def content_disposition(self, disposition: str) -> Self:
        """How a browser should present it. Requires `write_with_content_disposition`."""
        return self._with(content_disposition=disposition)

    def content_encoding(self, encoding: str) -> Self:
        """The encodings of the bytes, which are stored as given. Requires `write_with_content_encoding`."""
        return self._with(content_encoding=encoding)

    def cache_control(self, directives: str) -> Self:
        """How long others may keep it. Requires `write_with_cache_control`."""
        return self._with(cache_control=directives)

    def user_metadata(self, values: Mapping[str, str]) -> Self:
        """Names and values to store beside it. Requires `write_with_user_metadata`."""
        return self._with(user_metadata=values)

    def if_match(self, etag: str) -> Self:
        """Only if the object has this etag. Requires `write_with_if_match`."""
        return self._with(if_match=etag)

    def if_none_match(self, etag: str) -> Self:
        """Only if the object has another etag. Requires `write_with_if_none_match`."""
        return self._with(if_none_match=etag)

    def if_not_exists(self, only: bool = True) -> Self:  # noqa: FBT002 - the name of the step says what is true
        """Only if there is no such object. Requires `write_with_if_not_exists`."""
        return self._with(if_not_exists=only)


class _Writing(_Storing[T]):
    def append(self, append: bool = True) -> Self:  # noqa: FBT002
        """Write behind what the object has. Requires `write_with_append`."""
        return self._with(append=append)

    def chunk(self, size: int) -> Self:
        """Hint: send in parts of `size` bytes, larger ones only where the object could not be held otherwise."""
        return self._with(chunk=size)

    def concurrent(self, parts: int) -> Self:
        """Hint: keep so many parts in flight."""
        return self._with(concurrent=parts)


class FutureWrite(_Writing[Metadata]):
    """`write` being described; awaiting it gives the `Metadata` of what was stored."""


class FutureWriter(_Writing["Writer"], _Entered["Writer"]):
    """`writer` being described. It can be awaited, or entered with `async with`."""


class _Deleting(Future[T]):
    def version(self, version: str) -> Self:
        """Remove this version, for good. Requires `delete_with_version`."""
        return self._with(version=version)


class FutureDelete(_Deleting[None]):
    """`delete` being described."""

    def recursive(self, recursive: bool = True) -> Self:  # noqa: FBT002
        """What lies beneath as well: of `"a"` and of `"a/"` all beneath `a/`. Requires `delete_with_recursive`."""
        return self._with(recursive=recursive)


class _Listing(Future[T]):
    def recursive(self, recursive: bool = True) -> Self:  # noqa: FBT002
        """All that lies beneath. Requires `list_with_recursive`."""
        return self._with(recursive=recursive)

    def start_after(self, path: Path) -> Self:
        """Only what comes after this path. Requires `list_with_start_after`."""
        return self._with(start_after=path)

    def versions(self, versions: bool = True) -> Self:  # noqa: FBT002
        """Every version of each object. Requires `list_with_versions`."""
        return self._with(versions=versions)

    def deleted(self, deleted: bool = True) -> Self:  # noqa: FBT002
        """Also the marks that deletions left. Requires `list_with_deleted`."""
        return self._with(deleted=deleted)

    def limit(self, entries: int) -> Self:
        """Hint: ask for so many entries at a time."""
        return self._with(limit=entries)


class FutureList(_Listing[list[Entry]]):
    """`list` being described; awaiting it gives the entries."""


class FutureLister(_Listing["Lister"], _Entered["Lister"]):
    """`lister` being described. It can be awaited, entered with `async with`, or iterated by entries."""

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async with await self as lister:
            while page := await lister.next_page():
                for entry in page:
                    yield entry


class _Copying(Future[T]):
    def if_not_exists(self, only: bool = True) -> Self:  # noqa: FBT002
        """Only if there is no object at the target. Requires `copy_with_if_not_exists`."""
        return self._with(if_not_exists=only)

    def if_match(self, etag: str) -> Self:
        """Only if the object at the target has this etag. Requires `copy_with_if_match`."""
        return self._with(if_match=etag)

    def source_version(self, version: str) -> Self:
        """The version of the source to copy. Requires `copy_with_source_version`."""
        return self._with(source_version=version)

    def chunk(self, size: int) -> Self:
        """Hint: copy in ranges of `size` bytes, where an object is copied in ranges."""
        return self._with(chunk=size)

    def concurrent(self, ranges: int) -> Self:
        """Hint: keep so many ranges in flight."""
        return self._with(concurrent=ranges)

    def source_content_length_hint(self, size: int) -> Self:
        """Hint: the source is believed to have `size` bytes, so that the right way to copy it is taken at once."""
        return self._with(source_content_length_hint=size)


class FutureCopy(_Copying[Metadata]):
    """`copy` being described; awaiting it gives what the storage says of the target."""


class FutureCopyTo(_Copying["Copied"]):
    """`copy_to` being described; awaiting it gives `Copied`."""


class FutureRename(Future[None]):
    """`rename` being described."""

    def if_not_exists(self, only: bool = True) -> Self:  # noqa: FBT002
        """Only if there is no object at the target. Requires `rename_with_if_not_exists`."""
        return self._with(if_not_exists=only)


class FuturePresignRead(_Ranged[PresignedRequest]):
    """`presign_read` being described; awaiting it gives the `PresignedRequest`."""


class FuturePresignStat(_Overrides[PresignedRequest]):
    """`presign_stat` being described; awaiting it gives the `PresignedRequest`."""


class FuturePresignWrite(_Storing[PresignedRequest]):
    """`presign_write` being described; awaiting it gives the `PresignedRequest`."""


class FuturePresignDelete(_Deleting[PresignedRequest]):
    """`presign_delete` being described; awaiting it gives the `PresignedRequest`."""
