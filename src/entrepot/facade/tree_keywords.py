"""The keywords of the transfers of trees. Type checkers read them, and interactive help; no operation imports them."""

from __future__ import annotations

from typing import TypedDict

from entrepot.types.transfers import ReportFile, ReportProgress, TreeComparison

from .globs import Patterns
from .keywords import CopyOptions
from .trees import ChooseEntry


class _TransferOptions(TypedDict, total=False):
    """What both have."""

    include: Patterns
    exclude: Patterns
    choose: ChooseEntry | None
    compare: TreeComparison
    concurrent: int
    dry_run: bool
    progress: ReportProgress | None
    on_file: ReportFile | None
    copy_options: CopyOptions


class TreeOptions(_TransferOptions, total=False):
    """The keywords of a transfer of a tree, documented in `Operator.copy_tree`."""

    skip_same: bool


class SyncOptions(_TransferOptions, total=False):
    """The keywords of `Operator.sync`."""

    delete: bool
