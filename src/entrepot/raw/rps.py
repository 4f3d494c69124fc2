"""What an operation replies: one record each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from entrepot.types import Metadata, PresignedRequest

from .record import record

if TYPE_CHECKING:
    from dataclasses import dataclass

    from entrepot.types import Upload
else:
    from entrepot.types.records import dataclass


@record
class RpStat:
    """Reply of `stat`."""

    metadata: Metadata


@dataclass(slots=True)
class RpRead:
    """Reply of `read`, given before any I/O and filled by its body.

    Arguments:
        metadata: what the storage said of the whole object in the first reply; None until the
            first verb of the body brought one.
        size: the size of the whole object in bytes, where a reply told nothing else of it.
        is_whole: whether the storage sent the whole object, though a part of it was asked for.
        is_from_stat: whether the metadata came from a `stat` beside the read, and not with content. It may lack what
            comes with content.
    """

    metadata: Metadata | None = None
    size: int | None = None
    is_whole: bool = False
    is_from_stat: bool = False


@record
class RpWrite:
    """Reply of `write`, given before any I/O; what was stored is the answer of the body's `close`."""


@record
class RpCreateDir:
    """Reply of `create_dir`."""


@record
class RpDelete:
    """Reply of `delete`, given before any I/O; what failed is raised by the verbs of the body."""


@record
class RpList:
    """Reply of `list`, given before any I/O."""


@record
class RpCopy:
    """Reply of `copy`: what the service said of the target, as far as it did."""

    metadata: Metadata


@record
class RpRename:
    """Reply of `rename`."""


@record
class RpPresign:
    """Reply of `presign`."""

    request: PresignedRequest


@record
class RpListUploads:
    """Reply of `list_uploads`: one page.

    Arguments:
        uploads: the uploads, possibly none.
        next_token: what asks for the next page; None is the last page.
        told_at: when the storage gave it, by its clock; None where it does not say.
    """

    uploads: Sequence[Upload]
    next_token: str | None = None
    told_at: datetime | None = None


@record
class RpAbortUpload:
    """Reply of `abort_upload`."""
