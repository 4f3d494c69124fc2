"""`Upload`: a multipart upload in progress."""

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
