"""`Upload`: a multipart upload in progress. `Part`: a stored part of one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was started and neither completed nor aborted. Its parts use storage, and cost.

    Arguments:
        path: the path of the object, relative to the operator's root.
        id: the storage's id of the upload. One object may have several uploads.
        initiated: the time of the start by the storage's clock, with a time zone; None if the storage does not say.
    """

    path: str
    id: str
    initiated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part of an upload.

    Arguments:
        number: the part's number in the object, from 1.
        etag: the storage's tag of the part.
        size: the size in bytes.
        checksum: the checksum that the storage requires again on completion, if any.
    """

    number: int
    etag: str
    size: int
    checksum: str | None = None
