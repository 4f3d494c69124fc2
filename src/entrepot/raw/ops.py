"""The arguments of each operation: one record each, with a shared default instance.

An option is declared once, as a field of its record: name, type, default, and a line under "Arguments:". All the rest
follows from that: `tools/generate_facade.py` writes the keyword (`facade/keywords.py`), the builder method
(`facade/futures.py`, `blocking/calls.py`), the line in the docstring of the operation (`facade/operator.py`) and the
flag of `Capability`; the check of its values follows from its type (`facade/options.py`), and the refusal where a
service lacks it from its flag (`CorrectnessCheckLayer`).

The types say which values work: `str` is printable ASCII text that fits into a header, `Count` is at least 1, `Size`
at least 0, `PathText` a path, `Tags` names and values of any characters, a `datetime` has a time zone. Two markers go
around a type: `Hint`, for an option that changes how a result is obtained and never the result, so that no service
refuses it; and `Unsigned`, for an option that cannot be part of a presigned request. Hints cannot either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias, TypeVar

from entrepot import types
from entrepot.types import BytesRange

from .record import record

T = TypeVar("T")
Hint: TypeAlias = Annotated[T, "changes no result"]
Unsigned: TypeAlias = Annotated[T, "no part of a presigned request"]
Count: TypeAlias = int
Size: TypeAlias = int
PathText: TypeAlias = str
Tags: TypeAlias = Mapping[str, str]

FULL_RANGE: Final = BytesRange()
DEFAULT_GAP: Final = 1024 * 1024
MAX_EXPIRES: Final = timedelta(days=7)


@record
class OpStat:
    """Arguments of `stat`.

    Arguments:
        version: the version of the object. By default the current one.
        if_match: succeed only if the object has this etag.
        if_none_match: succeed only if the object has another etag.
        if_modified_since: succeed only if the object was written after this time, which has a time zone.
        if_unmodified_since: succeed only if the object was not written after this time, which has a time zone.
        override_content_type: the Content-Type of the response, instead of the stored one.
        override_content_disposition: the Content-Disposition of the response, instead of the stored one.
        override_cache_control: the Cache-Control of the response, instead of the stored one.
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
        range: the bytes to read: `(start, end)` without `end` itself, or a `BytesRange`. By default all.
        version: the version of the object. By default the current one.
        if_match: succeed only if the object has this etag.
        if_none_match: succeed only if the object has another etag.
        if_modified_since: succeed only if the object was written after this time, which has a time zone.
        if_unmodified_since: succeed only if the object was not written after this time, which has a time zone.
        override_content_type: the Content-Type of the response, instead of the stored one.
        override_content_disposition: the Content-Disposition of the response, instead of the stored one.
        override_cache_control: the Cache-Control of the response, instead of the stored one.
        chunk: bytes per request (a hint). By default one request for the whole range.
        concurrent: requests in flight (a hint). By default 1 for a stream, 8 for `Reader.fetch`.
        gap: `Reader.fetch` joins ranges that are at most this many bytes apart (a hint). By default 1 MiB.
        content_length_hint: the expected size of the object in bytes (a hint), to request chunks ahead from the start.
        read_ahead: the most bytes that a reader requests ahead (a hint); 0 requests only the bytes that are read. By
            default a reader that never seeks makes one request, and after a seek it requests ahead as long as it
            continues to read.
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
    chunk: Hint[Count] | None = None
    concurrent: Hint[Count] | None = None
    gap: Hint[Size] = DEFAULT_GAP
    content_length_hint: Hint[Size] | None = None
    read_ahead: Hint[Size] | None = None

    def to_stat(self) -> OpStat:
        """The arguments of a `stat` of the same object under the same conditions."""
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
    """Arguments of `write`.

    Arguments:
        append: add the data to the end of the object, which need not exist.
        content_type: the media type to store.
        content_disposition: the Content-Disposition to store, which says how a browser presents the object.
        content_encoding: the encodings of the data, such as `"gzip"`, to store. The data itself is stored as it is.
        content_language: the languages of the content, such as `"de, en"`, to store.
        cache_control: the Cache-Control to store, which says how long caches may keep the object.
        user_metadata: names and values to store with the object. Names are stored in lower case.
        tags: names and values to attach to the object. Unlike user metadata they can be replaced later (`set_tags`),
            and rules of the storage can refer to them.
        storage_class: the storage class, by the name that the storage has for it, such as `"STANDARD_IA"`.
        acl: the predefined access control, by the name that the storage has for it, such as `"public-read"`.
        retain_until: the time until which the storage refuses to delete or replace this version, with a time zone.
        legal_hold: let the storage refuse to delete or replace this version until the hold is removed.
        if_match: succeed only if the object has this etag.
        if_none_match: succeed only if the object has another etag, or does not exist.
        if_not_exists: succeed only if the object does not exist.
        chunk: bytes per part (a hint). Later parts are larger where the object would need more parts than the service
            takes. By default the service chooses.
        concurrent: parts in flight (a hint). By default the service chooses.
        content_length_hint: the expected size of the data in bytes (a hint), so that all parts of a large object have
            one size. By default the size of bytes and of local files.
    """

    append: Unsigned[bool] = False
    content_type: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    user_metadata: Mapping[str, str] | None = None
    tags: Tags | None = None
    storage_class: str | None = None
    acl: str | None = None
    retain_until: datetime | None = None
    legal_hold: bool = False
    if_match: str | None = None
    if_none_match: str | None = None
    if_not_exists: bool = False
    chunk: Hint[Count] | None = None
    concurrent: Hint[Count] | None = None
    content_length_hint: Hint[Size] | None = None


@record
class OpCreateDir:
    """Arguments of `create_dir`. It has no options."""


@record
class OpDelete:
    """Arguments of one deletion.

    Arguments:
        version: delete this version, permanently. By default the object is deleted, and its older versions stay.
        if_match: succeed only if the object has this etag.
        recursive: delete everything under the path as well. For `"a/"` that is the directory with its contents, but not
            an object `a`; for `"a"` that object too. Neither deletes `ab`.
    """

    version: str | None = None
    if_match: str | None = None
    recursive: Unsigned[bool] = False


@record
class OpList:
    """Arguments of `list`.

    Arguments:
        recursive: list everything under the path, not only its direct children.
        start_after: list only entries after this path, in the order of the service.
        versions: list every version of each object, each as an entry. Other listings name versions of deletion marks
            only, so that deleting a listed entry deletes the object.
        deleted: list deletion marks as well; without `versions` only the current ones.
        limit: entries per request (a hint). It does not end the listing. By default the service chooses.
    """

    recursive: bool = False
    start_after: PathText | None = None
    versions: bool = False
    deleted: bool = False
    limit: Hint[Count] | None = None


@record
class OpCopy:
    """Arguments of `copy`.

    Arguments:
        if_not_exists: succeed only if the target does not exist.
        if_match: succeed only if the target has this etag.
        source_version: the version of the source to copy. The target may then be the source itself, which restores
            that version.
        content_type: the media type of the target. By default this and the next five are the source's.
        content_disposition: the Content-Disposition of the target.
        content_encoding: the encodings of the content, such as `"gzip"`, to state for the target.
        content_language: the languages of the content, such as `"de, en"`, to state for the target.
        cache_control: the Cache-Control of the target.
        user_metadata: the user metadata of the target, in the place of all of the source's. With one of these six, or
            with `storage_class`, the target may be the source itself, which is then changed in place.
        tags: the tags of the target, in the place of all of the source's. By default the storage decides.
        storage_class: the storage class of the target, by the name that the storage has for it. By default the one of
            new objects.
        acl: the predefined access control of the target, by the name that the storage has for it. The source's is not
            copied: by default the target has the one of new objects.
        chunk: bytes per range, where an object is copied in ranges (a hint). By default the service chooses.
        concurrent: ranges in flight (a hint). By default the service chooses.
        source_content_length_hint: the expected size of the source in bytes (a hint), to choose the right way to copy
            without a request.
    """

    if_not_exists: bool = False
    if_match: str | None = None
    source_version: str | None = None
    content_type: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    user_metadata: Mapping[str, str] | None = None
    tags: Tags | None = None
    storage_class: str | None = None
    acl: str | None = None
    chunk: Hint[Count] | None = None
    concurrent: Hint[Count] | None = None
    source_content_length_hint: Hint[Size] | None = None

    def to_write(self) -> OpWrite:
        """What is stored with the target instead of what the source has, as the arguments of a write."""
        return OpWrite(**{name: getattr(self, name) for name in (*_METADATA, "tags", "storage_class", "acl")})

    @property
    def replaces_metadata(self) -> bool:
        """Whether some of the source's metadata is not copied."""
        return any(getattr(self, name) is not None for name in _METADATA)

    @property
    def may_be_in_place(self) -> bool:
        """Whether the target may be the source itself: the copy is of another version, or changes the object."""
        return self.source_version is not None or self.storage_class is not None or self.replaces_metadata


@record
class OpRename:
    """Arguments of `rename`.

    Arguments:
        if_not_exists: succeed only if the target does not exist.
    """

    if_not_exists: bool = False


@record
class OpGetTags:
    """Arguments of `get_tags`.

    Arguments:
        version: the version of the object. By default the current one.
    """

    version: str | None = None


@record
class OpSetTags:
    """Arguments of `set_tags`.

    Arguments:
        tags: the new tags; they replace all tags that the object has.
        version: the version of the object. By default the current one.
    """

    tags: Tags
    version: str | None = None


@record
class OpPost:
    """What a presigned form may store.

    Arguments:
        write: the metadata that is stored with the object.
        content_length: the fewest and the most bytes of the file. By default any number.
        content_type_prefix: the start of the media type that the sender states, such as `"image/"`.
    """

    write: OpWrite
    content_length: tuple[int, int] | None = None
    content_type_prefix: str | None = None


@record
class OpPart:
    """The part of an upload that a presigned request sends.

    Arguments:
        upload: the storage's identifier of the upload.
        number: the number of the part, from 1.
    """

    upload: str
    number: int


@record
class OpPresign:
    """Arguments of `presign`.

    Arguments:
        operation: the arguments of the operation that the request performs. Their type says which operation it is.
            A form and a part have a record of their own.
        expires: how long the request is valid, from 1 second to `MAX_EXPIRES`; fractions of a second are dropped.
    """

    operation: OpStat | OpRead | OpWrite | OpDelete | OpPost | OpPart
    expires: timedelta

    @property
    def name(self) -> str:
        """The name of the operation, such as `"read"`."""
        return _PRESIGNED[type(self.operation)]


_METADATA: Final = (
    "content_type",
    "content_disposition",
    "content_encoding",
    "content_language",
    "cache_control",
    "user_metadata",
)
"""The options of a copy that replace metadata of the source."""

_PRESIGNED: Final[dict[type, str]] = {
    OpStat: "stat",
    OpRead: "read",
    OpWrite: "write",
    OpDelete: "delete",
    OpPost: "post",
    OpPart: "part",
}


@record
class OpListUploads:
    """Arguments of `list_uploads`.

    Arguments:
        token: the `next_token` of the previous page; None requests the first page.
    """

    token: str | None = None


@record
class OpAbortUpload:
    """Arguments of `abort_upload`.

    Arguments:
        id: the storage's identifier of the upload.
    """

    id: str


@record
class OpStartUpload:
    """The start of an upload whose parts several processes send.

    Arguments:
        write: the metadata to store. It has no condition and does not append.
    """

    write: OpWrite


@record
class OpUploadPart:
    """One part of such an upload.

    Arguments:
        upload: the storage's identifier of the upload.
        number: the part's number in the object, from 1.
    """

    upload: str
    number: int


@record
class OpCompleteUpload:
    """The end of such an upload.

    Arguments:
        upload: the storage's identifier of the upload.
        parts: all parts, in the order of their numbers.
    """

    upload: str
    parts: tuple[types.Part, ...]


@record
class OpSharedUpload:
    """Arguments of `shared_upload`: one step of an upload whose parts several processes send.

    Arguments:
        step: what to do. Its type says which step it is.
    """

    step: OpStartUpload | OpUploadPart | OpCompleteUpload


DEFAULT_STAT: Final = OpStat()
DEFAULT_READ: Final = OpRead()
DEFAULT_WRITE: Final = OpWrite()
DEFAULT_CREATE_DIR: Final = OpCreateDir()
DEFAULT_DELETE: Final = OpDelete()
DEFAULT_LIST: Final = OpList()
DEFAULT_COPY: Final = OpCopy()
DEFAULT_RENAME: Final = OpRename()
DEFAULT_LIST_UPLOADS: Final = OpListUploads()

OPTION_RECORDS: Final[tuple[type, ...]] = (OpStat, OpRead, OpWrite, OpDelete, OpList, OpCopy, OpRename)
"""The records whose fields are options of public operations."""

_MARKERS: Final = ("Hint[", "Unsigned[")


def option_type(annotation: str) -> str:
    """The type of an option without its marker: `"Count | None"` for `"Hint[Count] | None"`.

    Arguments:
        annotation: the annotation of the field of a record.
    """
    return "".join(annotation.partition("[")[2].rsplit("]", 1)) if annotation.startswith(_MARKERS) else annotation


HINTS: Final = frozenset(
    name
    for arguments in OPTION_RECORDS
    for name, annotation in arguments.__annotations__.items()
    if annotation.startswith("Hint[")
)
"""The names of the options that change no result."""

SIGNED_OPTIONS: Final = {
    arguments: [name for name, annotation in arguments.__annotations__.items() if not annotation.startswith(_MARKERS)]
    for arguments in OPTION_RECORDS
}
"""By record: the names of the options that can be part of a presigned request."""
