"""What an operation is asked: one record of arguments each, and one shared instance that asks nothing special.

The fields of these records are the options of the public operations, under the same names, with the
same types and defaults. Hints change how an answer is got, never what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from entrepot.types import BytesRange

from .record import record

FULL_RANGE: Final = BytesRange()
DEFAULT_GAP: Final = 1024 * 1024
MAX_EXPIRES: Final = timedelta(days=7)


@record
class OpStat:
    """Arguments of `stat`.

    Arguments:
        version: the version of the object to ask about.
        if_match: only if the object has this etag.
        if_none_match: only if it has another.
        if_modified_since: only if it was written after this time, which has a time zone.
        if_unmodified_since: only if it was not.
        override_content_type: the Content-Type that the reply shall state instead of what is stored.
        override_content_disposition: likewise the Content-Disposition.
        override_cache_control: likewise the Cache-Control.
    """

    version: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    override_content_type: str | None = None
    override_content_disposition: str | None = None
    override_cache_control: str | None = None


@record
class OpRead:
    """Arguments of `read`.

    Arguments:
        range: which bytes.
        version: the version of the object to read.
        if_match: only if the object has this etag.
        if_none_match: only if it has another.
        if_modified_since: only if it was written after this time, which has a time zone.
        if_unmodified_since: only if it was not.
        override_content_type: the Content-Type that the reply shall state instead of what is stored.
        override_content_disposition: likewise the Content-Disposition.
        override_cache_control: likewise the Cache-Control.
        chunk: hint: read in requests of this many bytes; None is one stream.
        concurrent: hint: how many requests may be in flight; None is 1 for a stream, 8 for `fetch`.
        gap: hint: `fetch` joins ranges that are at most this many bytes apart.
        content_length_hint: hint: the size that the caller believes the object to have.
    """

    range: BytesRange = FULL_RANGE
    version: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    override_content_type: str | None = None
    override_content_disposition: str | None = None
    override_cache_control: str | None = None
    chunk: int | None = None
    concurrent: int | None = None
    gap: int = DEFAULT_GAP
    content_length_hint: int | None = None

    def to_stat(self) -> OpStat:
        """The arguments that ask about the same object under the same conditions."""
        return OpStat(
            version=self.version,
            if_match=self.if_match,
            if_none_match=self.if_none_match,
            if_modified_since=self.if_modified_since,
            if_unmodified_since=self.if_unmodified_since,
            override_content_type=self.override_content_type,
            override_content_disposition=self.override_content_disposition,
            override_cache_control=self.override_cache_control,
        )


@record
class OpWrite:
    """Arguments of `write`: replace the object by what is written.

    Arguments:
        append: put what is written behind what the object has; it need not exist.
        content_type: the media type to store beside the object.
        content_disposition: how a browser should present it.
        content_encoding: the encodings of the bytes, such as `"gzip"`. They are stored as given.
        cache_control: how long others may keep it.
        user_metadata: names and values to store beside it, names in lower case.
        if_match: only if the object has this etag.
        if_none_match: only if it has another, or there is none.
        if_not_exists: only if there is no such object.
        chunk: hint: send in parts of this many bytes, larger ones only behind many of them, where the object could
            not be held otherwise; None is what suits the service.
        concurrent: hint: how many parts may be in flight; None is what suits the service.
    """

    append: bool = False
    content_type: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    cache_control: str | None = None
    user_metadata: Mapping[str, str] | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_not_exists: bool = False
    chunk: int | None = None
    concurrent: int | None = None


@record
class OpCreateDir:
    """Arguments of `create_dir`: make the directory and those above it, where they are missing."""


@record
class OpDelete:
    """Arguments of one deletion.

    Arguments:
        version: the version to remove, for good; None is the object, whose versions stay.
        recursive: what lies beneath the path as well.
    """

    version: str | None = None
    recursive: bool = False


@record
class OpList:
    """Arguments of `list`.

    Arguments:
        recursive: all that lies beneath, not only what lies directly in it.
        start_after: only what comes after this path, in the order of the service.
        versions: every version of each object, each as an entry. Other listings tell the versions of deletion
            marks alone, so that to delete an entry that they gave is to delete the object.
        deleted: also the marks that deletions left; without `versions` those that are current.
        limit: hint: ask for so many entries at a time; it does not end the listing.
    """

    recursive: bool = False
    start_after: str | None = None
    versions: bool = False
    deleted: bool = False
    limit: int | None = None


@record
class OpCopy:
    """Arguments of `copy`.

    Arguments:
        if_not_exists: only if there is no object at the target.
        if_match: only if the object at the target has this etag.
        source_version: the version of the source to copy; then the target may be the source itself.
        chunk: hint: the bytes of a range, where an object is copied in ranges; None is what suits the service.
        concurrent: hint: how many ranges may be in flight; None is what suits the service.
        source_content_length_hint: hint: the size that the caller believes the source to have.
    """

    if_not_exists: bool = False
    if_match: str | None = None
    source_version: str | None = None
    chunk: int | None = None
    concurrent: int | None = None
    source_content_length_hint: int | None = None


@record
class OpRename:
    """Arguments of `rename`.

    Arguments:
        if_not_exists: only if there is no object at the target.
    """

    if_not_exists: bool = False


@record
class OpPresign:
    """Arguments of `presign`: what to make a request of, and how long it shall hold.

    Arguments:
        operation: the arguments of the operation that the request makes, whose type says which one it is.
        expires: for how long, from 1 second to `MAX_EXPIRES`; fractions of a second are dropped.
    """

    operation: OpStat | OpRead | OpWrite | OpDelete
    expires: timedelta

    @property
    def name(self) -> str:
        """The operation by its name, such as `"read"`."""
        return _PRESIGNED[type(self.operation)]


_PRESIGNED: Final[dict[type, str]] = {OpStat: "stat", OpRead: "read", OpWrite: "write", OpDelete: "delete"}


@record
class OpListUploads:
    """Arguments of `list_uploads`.

    Arguments:
        token: asks for the next page, as the reply before told it; None is the first page.
    """

    token: str | None = None


@record
class OpAbortUpload:
    """Arguments of `abort_upload`.

    Arguments:
        id: the upload, as the storage calls it.
    """

    id: str


DEFAULT_STAT: Final = OpStat()
DEFAULT_READ: Final = OpRead()
DEFAULT_WRITE: Final = OpWrite()
DEFAULT_CREATE_DIR: Final = OpCreateDir()
DEFAULT_DELETE: Final = OpDelete()
DEFAULT_LIST: Final = OpList()
DEFAULT_COPY: Final = OpCopy()
DEFAULT_RENAME: Final = OpRename()
DEFAULT_LIST_UPLOADS: Final = OpListUploads()
HINTS: Final = frozenset({"chunk", "concurrent", "gap", "content_length_hint", "limit", "source_content_length_hint"})
