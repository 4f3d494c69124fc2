"""What an operation replies: one record each."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.types import Metadata

from .record import record


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
    """

    metadata: Metadata | None = None
    size: int | None = None


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
