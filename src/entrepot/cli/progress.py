"""How far a transfer is: on a terminal as a line that is redrawn, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from entrepot import Error, Progress

from .places import Place
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    Report = Callable[[Progress], object] | None


@asynccontextmanager
async def shown_progress(
    session: Session, source: Place | None = None, size: int | None = None
) -> AsyncIterator[Report]:
    """Yields a `progress` function for a transfer; None where none is shown.

    Arguments:
        session: has the settings.
        source: a directory to be transferred, whose size is counted meanwhile; None if that is not needed.
        size: the bytes to be transferred, if they are known.
    """
    if session.settings.is_quiet or session.settings.is_json or not is_terminal():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import (
        Progress as Display,
    )

    columns = (
        TextColumn("{task.description}{task.fields[files]} done", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    display = Display(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10)
    with display:
        task = display.add_task("", total=size, files="")
        counting = None if source is None else asyncio.create_task(_count(source, display, task))
        try:
            yield lambda progress: display.update(
                task, completed=progress.total_done, description=f"{progress.files_done}"
            )
        finally:
            if counting is not None:
                counting.cancel()
                with suppress(asyncio.CancelledError):
                    await counting


def is_terminal() -> bool:
    """Whether a person can see a line that is redrawn on the standard error."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


async def _count(source: Place, display: Any, task: Any) -> None:
    """Sets the size of a tree and the number of its files. An error is left to the transfer, which meets it too."""
    with suppress(Error):
        usage = await source.operator.du(source.path)
        display.update(task, total=usage.size, files=f" of {usage.files} files")
