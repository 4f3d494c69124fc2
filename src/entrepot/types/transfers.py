"""Values of transfers of whole files and trees: `Progress`, `TreeStep`, `TreeReport` and `Usage`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from entrepot.errors import Error

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass

NO_FILES: Final = (
    "the source has no files, and a mistyped or unmounted one looks the same: nothing is deleted; to empty the target, "
    "delete it"
)
"""Why a tree is not emptied by a mirror."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is, as its `progress` function receives it.

    Arguments:
        path: the object that this call is about, relative to the operator that is read. For `upload` it is the object
            that is written.
        done: how many bytes of it are transferred.
        size: its size in bytes when the transfer began, if it is known.
        total_done: bytes of all objects so far.
        files_done: how many objects are complete.
    """

    path: str
    done: int
    size: int | None
    total_done: int
    files_done: int


ReportProgress: TypeAlias = Callable[[Progress], object]


TreeAction: TypeAlias = Literal["copy", "skip", "delete", "fail"]


@dataclass(frozen=True, slots=True)
class TreeStep:
    """What a transfer of a tree did with one file, as its `on_file` function receives it.

    Arguments:
        action: `"copy"`, `"skip"` (the target has the same), `"delete"` (only the target had it) or `"fail"`.
        path: the file, relative to both directories.
        size: its size in bytes, if it is known.
        error: why it failed.
    """

    action: TreeAction
    path: str
    size: int | None = None
    error: Error | None = None


ReportFile: TypeAlias = Callable[[TreeStep], object]

TreeComparison: TypeAlias = Literal["time", "size", "update", "content", "name"]


@dataclass(frozen=True, slots=True)
class TreeReport:
    """What a transfer of a tree did.

    Arguments:
        copied: how many files were copied.
        copied_bytes: their bytes.
        skipped: how many files were left as they are, because the target has the same.
        deleted: how many files of the target were deleted, because the source does not have them.
        untried: how many files had been listed and were not tried, because a storage refuses the credentials. The rest
            of the tree was not listed.
    """

    copied: int = 0
    copied_bytes: int = 0
    skipped: int = 0
    deleted: int = 0
    untried: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """The size of a tree.

    Arguments:
        size: the bytes of its files.
        files: how many files it has.
    """

    size: int
    files: int
