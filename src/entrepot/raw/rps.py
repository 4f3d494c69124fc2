"""The responses of operations: one record each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from entrepot import types
from entrepot.types import Metadata, PresignedRequest

from .record import record

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@record
class RpStat:
    """Response of `stat`."""

    metadata: Metadata


@dataclass(slots=True)
class RpRead:
    """Response of `read`. It is returned before any I/O; the body fills it.

    Arguments:
        metadata: the metadata of the whole object from the storage's first response; None before the first verb of
            the body.
        size: the size of the whole object in bytes, from a response that has no other metadata.
        is_whole: whether the storage sent the whole object although a part was requested.
        is_from_stat: whether the metadata came from a `stat` beside the read and not with content. It may lack fields
            that come with content.
    """

    metadata: Metadata | None = None
    size: int | None = None
    is_whole: bool = False
    is_from_stat: bool = False


@record
class RpWrite:
    """Response of `write`, returned before any I/O. The body's `close` returns the metadata of the new object."""


@record
class RpCreateDir:
    """Response of `create_dir`."""


@record
class RpDelete:
    """Response of `delete`, returned before any I/O. The verbs of the body raise the errors of deletions."""


@record
class RpList:
    """Response of `list`, returned before any I/O."""


@record
class RpCopy:
    """Response of `copy`, returned before any I/O. The body's `close` returns the metadata of the target."""


@record
class RpRename:
    """Response of `rename`."""


@record
class RpGetTags:
    """Response of `get_tags`."""

    tags: Mapping[str, str]


@record
class RpSetTags:
    """Response of `set_tags`."""


@record
class RpPresign:
    """Response of `presign`."""

    request: PresignedRequest


@record
class RpListUploads:
    """Response of `list_uploads`: one page.

    Arguments:
        uploads: the uploads, possibly none.
        next_token: the token of the next page; None on the last page.
        listed_at: the time of the response by the storage's clock; None if it does not say.
    """

    uploads: Sequence[types.Upload]
    next_token: str | None = None
    listed_at: datetime | None = None


@record
class RpSharedUpload:
    """Response of `shared_upload`: the result of the step.

    Arguments:
        upload: the storage's identifier of the upload that was started.
        part: the part that was stored.
        metadata: the metadata of the object that was completed.
    """

    upload: str | None = None
    part: types.Part | None = None
    metadata: Metadata | None = None


@record
class RpAbortUpload:
    """Response of `abort_upload`."""
