"""An upload in parts that was begun."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that was begun, and neither completed nor aborted. Its parts take room, and cost.

    Arguments:
        path: the object that it would make, relative to the operator's root.
        id: what the storage calls it. One object may have several.
        initiated: when it was begun, by the clock of the storage, with a time zone; None where it is not told.
    """

    path: str
    id: str
    initiated: datetime | None = None
