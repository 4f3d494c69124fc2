"""The builders: `op.read_with(path).range(0, 8).if_match(etag)`, then awaited.

Generated from `raw/ops.py` by `python tools/generate_facade.py`; do not edit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.types import Entry, Metadata, PresignedRequest

from .future import Entered, Future
from .iterate import ByAsyncFor
from .options import Path, UncheckedRange

if TYPE_CHECKING:
    from entrepot.types import Copied  # noqa: F401 - a base below names it

    from .lister import Lister  # noqa: F401 - a base below names it
    from .reader import Reader  # noqa: F401 - a base below names it
    from .writer import Writer  # noqa: F401 - a base below names it

T = TypeVar("T")


class _SignedStat(Future[T]):
    def version(self, version: str) -> Self:
        """The version of the object. By default the current one. Requires `stat_with_version`."""
        return self._with(version=version)

    def if_match(self, if_match: str) -> Self:
        """Succeed only if the object has this etag. Requires `stat_with_if_match`."""
        return self._with(if_match=if_match)

    def if_none_match(self, if_none_match: str) -> Self:
        """Succeed only if the object has another etag. Requires `stat_with_if_none_match`."""
        return self._with(if_none_match=if_none_match)

    def if_modified_since(self, if_modified_since: datetime) -> Self:
        """Succeed only if the object was written after this time, which has a time zone.

        Requires `stat_with_if_modified_since`.
        """
        return self._with(if_modified_since=if_modified_since)

    def if_unmodified_since(self, if_unmodified_since: datetime) -> Self:
        """Succeed only if the object was not written after this time, which has a time zone.

        Requires `stat_with_if_unmodified_since`.
        """
        return self._with(if_unmodified_since=if_unmodified_since)

    def override_content_type(self, override_content_type: str) -> Self:
        """The Content-Type of the response, instead of the stored one. Requires `stat_with_override_content_type`."""
        return self._with(override_content_type=override_content_type)

    def override_content_disposition(self, override_content_disposition: str) -> Self:
        """The Content-Disposition of the response, instead of the stored one.

        Requires `stat_with_override_content_disposition`.
        """
        return self._with(override_content_disposition=override_content_disposition)

    def override_cache_control(self, override_cache_control: str) -> Self:
        """The Cache-Control of the response, instead of the stored one. Requires `stat_with_override_cache_control`."""
        return self._with(override_cache_control=override_cache_control)


class _SignedRead(Future[T]):
    def range(self, start: int = 0, end: int | None = None, *, suffix: int | None = None) -> Self:
        """The bytes from `start` up to, not including, `end`; or the last `suffix` bytes."""
        return self._with(range=UncheckedRange(start, end, suffix))

    def version(self, version: str) -> Self:
        """The version of the object. By default the current one. Requires `read_with_version`."""
        return self._with(version=version)

    def if_match(self, if_match: str) -> Self:
        """Succeed only if the object has this etag. Requires `read_with_if_match`."""
        return self._with(if_match=if_match)

    def if_none_match(self, if_none_match: str) -> Self:
        """Succeed only if the object has another etag. Requires `read_with_if_none_match`."""
        return self._with(if_none_match=if_none_match)

    def if_modified_since(self, if_modified_since: datetime) -> Self:
        """Succeed only if the object was written after this time, which has a time zone.

        Requires `read_with_if_modified_since`.
        """
        return self._with(if_modified_since=if_modified_since)

    def if_unmodified_since(self, if_unmodified_since: datetime) -> Self:
        """Succeed only if the object was not written after this time, which has a time zone.

        Requires `read_with_if_unmodified_since`.
        """
        return self._with(if_unmodified_since=if_unmodified_since)

    def override_content_type(self, override_content_type: str) -> Self:
        """The Content-Type of the response, instead of the stored one. Requires `read_with_override_content_type`."""
        return self._with(override_content_type=override_content_type)

    def override_content_disposition(self, override_content_disposition: str) -> Self:
        """The Content-Disposition of the response, instead of the stored one.

        Requires `read_with_override_content_disposition`.
        """
        return self._with(override_content_disposition=override_content_disposition)

    def override_cache_control(self, override_cache_control: str) -> Self:
        """The Cache-Control of the response, instead of the stored one. Requires `read_with_override_cache_control`."""
        return self._with(override_cache_control=override_cache_control)


class _Read(_SignedRead[T]):
    def chunk(self, chunk: int) -> Self:
        """Bytes per request (a hint). By default one request for the whole range."""
        return self._with(chunk=chunk)

    def concurrent(self, concurrent: int) -> Self:
        """Requests in flight (a hint). By default 1 for a stream, 8 for `Reader.fetch`."""
        return self._with(concurrent=concurrent)

    def gap(self, gap: int) -> Self:
        """`Reader.fetch` joins ranges that are at most this many bytes apart (a hint). By default 1 MiB."""
        return self._with(gap=gap)

    def content_length_hint(self, content_length_hint: int) -> Self:
        """The expected size of the object in bytes (a hint), to request chunks ahead from the start."""
        return self._with(content_length_hint=content_length_hint)

    def read_ahead(self, read_ahead: int) -> Self:
        """The most bytes that a reader requests ahead (a hint); 0 requests only the bytes that are read.

        By default a reader that never seeks makes one request, and after a seek it requests ahead as long as it
        continues to read.
        """
        return self._with(read_ahead=read_ahead)


class _SignedWrite(Future[T]):
    def content_type(self, content_type: str) -> Self:
        """The media type to store. Requires `write_with_content_type`."""
        return self._with(content_type=content_type)

    def content_disposition(self, content_disposition: str) -> Self:
        """The Content-Disposition to store, which says how a browser presents the object.

        Requires `write_with_content_disposition`.
        """
        return self._with(content_disposition=content_disposition)

    def content_encoding(self, content_encoding: str) -> Self:
        """The encodings of the data, such as `"gzip"`, to store.

        The data itself is stored as it is. Requires `write_with_content_encoding`.
        """
        return self._with(content_encoding=content_encoding)

    def content_language(self, content_language: str) -> Self:
        """The languages of the content, such as `"de, en"`, to store. Requires `write_with_content_language`."""
        return self._with(content_language=content_language)

    def cache_control(self, cache_control: str) -> Self:
        """The Cache-Control to store, which says how long caches may keep the object.

        Requires `write_with_cache_control`.
        """
        return self._with(cache_control=cache_control)

    def user_metadata(self, user_metadata: Mapping[str, str]) -> Self:
        """Names and values to store with the object.

        Names are stored in lower case. Requires `write_with_user_metadata`.
        """
        return self._with(user_metadata=user_metadata)

    def tags(self, tags: Mapping[str, str]) -> Self:
        """Names and values to attach to the object.

        Unlike user metadata they can be replaced later (`set_tags`), and rules of the storage can refer to them.
        Requires `write_with_tags`.
        """
        return self._with(tags=tags)

    def storage_class(self, storage_class: str) -> Self:
        """The storage class, by the name that the storage has for it, such as `"STANDARD_IA"`.

        Requires `write_with_storage_class`.
        """
        return self._with(storage_class=storage_class)

    def acl(self, acl: str) -> Self:
        """The predefined access control, by the name that the storage has for it, such as `"public-read"`.

        Requires `write_with_acl`.
        """
        return self._with(acl=acl)

    def retain_until(self, retain_until: datetime) -> Self:
        """The time until which the storage refuses to delete or replace this version, with a time zone.

        Requires `write_with_retain_until`.
        """
        return self._with(retain_until=retain_until)

    def legal_hold(self, legal_hold: bool = True) -> Self:
        """Let the storage refuse to delete or replace this version until the hold is removed.

        Requires `write_with_legal_hold`.
        """
        return self._with(legal_hold=legal_hold)

    def if_match(self, if_match: str) -> Self:
        """Succeed only if the object has this etag. Requires `write_with_if_match`."""
        return self._with(if_match=if_match)

    def if_none_match(self, if_none_match: str) -> Self:
        """Succeed only if the object has another etag, or does not exist. Requires `write_with_if_none_match`."""
        return self._with(if_none_match=if_none_match)

    def if_not_exists(self, if_not_exists: bool = True) -> Self:
        """Succeed only if the object does not exist. Requires `write_with_if_not_exists`."""
        return self._with(if_not_exists=if_not_exists)


class _Write(_SignedWrite[T]):
    def append(self, append: bool = True) -> Self:
        """Add the data to the end of the object, which need not exist. Requires `write_with_append`."""
        return self._with(append=append)

    def chunk(self, chunk: int) -> Self:
        """Bytes per part (a hint).

        Later parts are larger where the object would need more parts than the service takes. By default the service
        chooses.
        """
        return self._with(chunk=chunk)

    def concurrent(self, concurrent: int) -> Self:
        """Parts in flight (a hint). By default the service chooses."""
        return self._with(concurrent=concurrent)

    def content_length_hint(self, content_length_hint: int) -> Self:
        """The expected size of the data in bytes (a hint), so that all parts of a large object have one size.

        By default the size of bytes and of local files.
        """
        return self._with(content_length_hint=content_length_hint)


class _SignedDelete(Future[T]):
    def version(self, version: str) -> Self:
        """Delete this version, permanently.

        By default the object is deleted, and its older versions stay. Requires `delete_with_version`.
        """
        return self._with(version=version)

    def if_match(self, if_match: str) -> Self:
        """Succeed only if the object has this etag. Requires `delete_with_if_match`."""
        return self._with(if_match=if_match)


class _Delete(_SignedDelete[T]):
    def recursive(self, recursive: bool = True) -> Self:
        """Delete everything under the path as well.

        For `"a/"` that is the directory with its contents, but not an object `a`; for `"a"` that object too. Neither
        deletes `ab`. Requires `delete_with_recursive`.
        """
        return self._with(recursive=recursive)


class _List(Future[T]):
    def recursive(self, recursive: bool = True) -> Self:
        """List everything under the path, not only its direct children. Requires `list_with_recursive`."""
        return self._with(recursive=recursive)

    def start_after(self, start_after: Path) -> Self:
        """List only entries after this path, in the order of the service. Requires `list_with_start_after`."""
        return self._with(start_after=start_after)

    def versions(self, versions: bool = True) -> Self:
        """List every version of each object, each as an entry.

        Other listings name versions of deletion marks only, so that deleting a listed entry deletes the object.
        Requires `list_with_versions`.
        """
        return self._with(versions=versions)

    def deleted(self, deleted: bool = True) -> Self:
        """List deletion marks as well; without `versions` only the current ones. Requires `list_with_deleted`."""
        return self._with(deleted=deleted)

    def limit(self, limit: int) -> Self:
        """Entries per request (a hint). It does not end the listing. By default the service chooses."""
        return self._with(limit=limit)


class _Copy(Future[T]):
    def if_not_exists(self, if_not_exists: bool = True) -> Self:
        """Succeed only if the target does not exist. Requires `copy_with_if_not_exists`."""
        return self._with(if_not_exists=if_not_exists)

    def if_match(self, if_match: str) -> Self:
        """Succeed only if the target has this etag. Requires `copy_with_if_match`."""
        return self._with(if_match=if_match)

    def source_version(self, source_version: str) -> Self:
        """The version of the source to copy.

        The target may then be the source itself, which restores that version. Requires `copy_with_source_version`.
        """
        return self._with(source_version=source_version)

    def content_type(self, content_type: str) -> Self:
        """The media type of the target.

        By default this and the next five are the source's. Requires `copy_with_content_type`.
        """
        return self._with(content_type=content_type)

    def content_disposition(self, content_disposition: str) -> Self:
        """The Content-Disposition of the target. Requires `copy_with_content_disposition`."""
        return self._with(content_disposition=content_disposition)

    def content_encoding(self, content_encoding: str) -> Self:
        """The encodings of the content, such as `"gzip"`, to state for the target.

        Requires `copy_with_content_encoding`.
        """
        return self._with(content_encoding=content_encoding)

    def content_language(self, content_language: str) -> Self:
        """The languages of the content, such as `"de, en"`, to state for the target.

        Requires `copy_with_content_language`.
        """
        return self._with(content_language=content_language)

    def cache_control(self, cache_control: str) -> Self:
        """The Cache-Control of the target. Requires `copy_with_cache_control`."""
        return self._with(cache_control=cache_control)

    def user_metadata(self, user_metadata: Mapping[str, str]) -> Self:
        """The user metadata of the target, in the place of all of the source's.

        With one of these six, or with `storage_class`, the target may be the source itself, which is then changed in
        place. Requires `copy_with_user_metadata`.
        """
        return self._with(user_metadata=user_metadata)

    def tags(self, tags: Mapping[str, str]) -> Self:
        """The tags of the target, in the place of all of the source's.

        By default the storage decides. Requires `copy_with_tags`.
        """
        return self._with(tags=tags)

    def storage_class(self, storage_class: str) -> Self:
        """The storage class of the target, by the name that the storage has for it.

        By default the one of new objects. Requires `copy_with_storage_class`.
        """
        return self._with(storage_class=storage_class)

    def acl(self, acl: str) -> Self:
        """The predefined access control of the target, by the name that the storage has for it.

        The source's is not copied: by default the target has the one of new objects. Requires `copy_with_acl`.
        """
        return self._with(acl=acl)

    def chunk(self, chunk: int) -> Self:
        """Bytes per range, where an object is copied in ranges (a hint). By default the service chooses."""
        return self._with(chunk=chunk)

    def concurrent(self, concurrent: int) -> Self:
        """Ranges in flight (a hint). By default the service chooses."""
        return self._with(concurrent=concurrent)

    def source_content_length_hint(self, source_content_length_hint: int) -> Self:
        """The expected size of the source in bytes (a hint), to choose the right way to copy without a request."""
        return self._with(source_content_length_hint=source_content_length_hint)


class _Rename(Future[T]):
    def if_not_exists(self, if_not_exists: bool = True) -> Self:
        """Succeed only if the target does not exist. Requires `rename_with_if_not_exists`."""
        return self._with(if_not_exists=if_not_exists)


class FutureStat(_SignedStat[Metadata]):
    """`stat`, described step by step. Awaiting it returns the `Metadata`."""


class FuturePresignStat(_SignedStat[PresignedRequest]):
    """`presign_stat`, described step by step. Awaiting it returns the `PresignedRequest`."""


class FutureRead(_Read[bytes]):
    """`read`, described step by step. Awaiting it returns the bytes."""


class FutureReader(_Read["Reader"], Entered["Reader"], ByAsyncFor):
    """`reader`, described step by step. It can be awaited, entered with `async with`, or iterated by chunks."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with await self as reader:
            while chunk := await reader.next():  # `async for` would need a second generator, closed separately
                yield chunk


class FuturePresignRead(_SignedRead[PresignedRequest]):
    """`presign_read`, described step by step. Awaiting it returns the `PresignedRequest`."""


class FutureWrite(_Write[Metadata]):
    """`write`, described step by step. Awaiting it returns the `Metadata` of the stored object."""


class FutureWriter(_Write["Writer"], Entered["Writer"]):
    """`writer`, described step by step. It can be awaited, or entered with `async with`."""


class FuturePresignWrite(_SignedWrite[PresignedRequest]):
    """`presign_write`, described step by step. Awaiting it returns the `PresignedRequest`."""


class FutureDelete(_Delete[None]):
    """`delete`, described step by step. Awaiting it makes the deletion."""


class FuturePresignDelete(_SignedDelete[PresignedRequest]):
    """`presign_delete`, described step by step. Awaiting it returns the `PresignedRequest`."""


class FutureList(_List[list[Entry]]):
    """`list`, described step by step. Awaiting it returns the entries."""


class FutureLister(_List["Lister"], Entered["Lister"], ByAsyncFor):
    """`lister`, described step by step. It can be awaited, entered with `async with`, or iterated by entries."""

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async with await self as lister:
            while page := await lister.next_page():
                for entry in page:
                    yield entry


class FutureCopy(_Copy[Metadata]):
    """`copy`, described step by step. Awaiting it returns the `Metadata` of the target."""


class FutureCopyTo(_Copy["Copied"]):
    """`copy_to`, described step by step. Awaiting it returns the `Copied`."""


class FutureRename(_Rename[None]):
    """`rename`, described step by step. Awaiting it makes the change."""
