"""Progress bars of tqdm and rich for downloads, uploads and transfers of trees.

    with tqdm(unit="B", unit_scale=True) as bar:
        await op.download_tree("logs/", "logs", progress=on_tqdm(bar))

The libraries are not imported: the bar is the caller's.
"""

from __future__ import annotations

from typing import Any, Protocol

from entrepot import Progress
from entrepot.types.transfers import ReportProgress


class TqdmBar(Protocol):
    """The part of `tqdm.tqdm` that is used."""

    n: Any

    def update(self, n: Any = ...) -> Any:
        """Moves the bar by `n`."""
        ...


class RichProgress(Protocol):
    """The part of `rich.progress.Progress` that is used."""

    def update(self, task_id: Any, *, completed: float | None = ..., description: str | None = ...) -> None:
        """Moves the bar of a task to `completed`."""
        ...


def on_tqdm(bar: TqdmBar) -> ReportProgress:
    """Returns a `progress` function that moves a bar of tqdm to the bytes that are transferred.

    Arguments:
        bar: the bar, made with `unit="B", unit_scale=True`. Its total is the caller's: the size of a tree is not known
            in advance, unless `du` is asked for it.
    """

    def report(progress: Progress) -> None:
        bar.update(progress.total_done - bar.n)

    return report


def on_rich(display: RichProgress, task: Any) -> ReportProgress:
    """Returns a `progress` function that moves a task of rich to the bytes, and describes it by the current path.

    Arguments:
        display: the display.
        task: the id that `display.add_task` returned.
    """

    def report(progress: Progress) -> None:
        display.update(task, completed=progress.total_done, description=progress.path)

    return report
