"""The second spelling of every operation: `op.read_with(path).range(0, 8).if_match(etag).run()`.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.facade.options import AskedRange, Path
from entrepot.types import Entry, Metadata, PresignedRequest

from .call import Call, EnteredCall

if TYPE_CHECKING:
    from entrepot.types import Copied  # noqa: F401 - a base below names it

    from .lister import BlockingLister  # noqa: F401 - a base below names it
    from .reader import BlockingReader  # noqa: F401 - a base below names it
    from .writer import BlockingWriter  # noqa: F401 - a base below names it
T = TypeVar("T")


class _Conditions(Call[T]):
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


class StatCall(_Overrides[Metadata]):
    """`stat` being described; `run()` gives the `Metadata`."""


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


class ReadCall(_Reading[bytes]):
    """`read` being described; `run()` gives the bytes."""


class ReaderCall(_Reading["BlockingReader"], EnteredCall["BlockingReader"]):
    """`reader` being described. It can be run, entered with `with`, or iterated by chunks."""

    def __iter__(self) -> Iterator[bytes]:
        with self.run() as opened:
            yield from opened


class _Storing(Call[T]):
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

    def if_not_exists(self, only: bool = True) -> Self:
        """Only if there is no such object. Requires `write_with_if_not_exists`."""
        return self._with(if_not_exists=only)


class _Writing(_Storing[T]):
    def append(self, append: bool = True) -> Self:
        """Write behind what the object has. Requires `write_with_append`."""
        return self._with(append=append)

    def chunk(self, size: int) -> Self:
        """Hint: send in parts of `size` bytes, larger ones only where the object could not be held otherwise."""
        return self._with(chunk=size)

    def concurrent(self, parts: int) -> Self:
        """Hint: keep so many parts in flight."""
        return self._with(concurrent=parts)


class WriteCall(_Writing[Metadata]):
    """`write` being described; `run()` gives the `Metadata` of what was stored."""


class WriterCall(_Writing["BlockingWriter"], EnteredCall["BlockingWriter"]):
    """`writer` being described. It can be run, or entered with `with`."""


class _Deleting(Call[T]):
    def version(self, version: str) -> Self:
        """Remove this version, for good. Requires `delete_with_version`."""
        return self._with(version=version)


class DeleteCall(_Deleting[None]):
    """`delete` being described."""

    def recursive(self, recursive: bool = True) -> Self:
        """What lies beneath as well: of `"a"` and of `"a/"` all beneath `a/`. Requires `delete_with_recursive`."""
        return self._with(recursive=recursive)


class _Listing(Call[T]):
    def recursive(self, recursive: bool = True) -> Self:
        """All that lies beneath. Requires `list_with_recursive`."""
        return self._with(recursive=recursive)

    def start_after(self, path: Path) -> Self:
        """Only what comes after this path. Requires `list_with_start_after`."""
        return self._with(start_after=path)

    def versions(self, versions: bool = True) -> Self:
        """Every version of each object. Requires `list_with_versions`."""
        return self._with(versions=versions)

    def deleted(self, deleted: bool = True) -> Self:
        """Also the marks that deletions left. Requires `list_with_deleted`."""
        return self._with(deleted=deleted)

    def limit(self, entries: int) -> Self:
        """Hint: ask for so many entries at a time."""
        return self._with(limit=entries)


class ListCall(_Listing[list[Entry]]):
    """`list` being described; `run()` gives the entries."""


class ListerCall(_Listing["BlockingLister"], EnteredCall["BlockingLister"]):
    """`lister` being described. It can be run, entered with `with`, or iterated by entries."""

    def __iter__(self) -> Iterator[Entry]:
        with self.run() as opened:
            yield from opened


class _Copying(Call[T]):
    def if_not_exists(self, only: bool = True) -> Self:
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


class CopyCall(_Copying[Metadata]):
    """`copy` being described; `run()` gives what the storage says of the target."""


class CopyToCall(_Copying["Copied"]):
    """`copy_to` being described; `run()` gives `Copied`."""


class RenameCall(Call[None]):
    """`rename` being described."""

    def if_not_exists(self, only: bool = True) -> Self:
        """Only if there is no object at the target. Requires `rename_with_if_not_exists`."""
        return self._with(if_not_exists=only)


class PresignReadCall(_Ranged[PresignedRequest]):
    """`presign_read` being described; `run()` gives the `PresignedRequest`."""


class PresignStatCall(_Overrides[PresignedRequest]):
    """`presign_stat` being described; `run()` gives the `PresignedRequest`."""


class PresignWriteCall(_Storing[PresignedRequest]):
    """`presign_write` being described; `run()` gives the `PresignedRequest`."""


class PresignDeleteCall(_Deleting[PresignedRequest]):
    """`presign_delete` being described; `run()` gives the `PresignedRequest`."""
