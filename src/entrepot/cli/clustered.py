"""`cp -r --cluster`: the tree is copied by the workers of a cluster of Dask. Needs the extra `dask`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from entrepot import Error, Progress

from .places import Place, check_apart
from .progress import shown_progress
from .quantities import human_size
from .session import NotUsable, Session

if TYPE_CHECKING:
    from entrepot.integrations.dask import ClusterReport
    from entrepot.types.transfers import TreeComparison

_REFUSED: Final = ("dry_run", "min_size", "max_size", "min_age", "max_age", "chunk")
_COMPARISONS: Final[dict[str, TreeComparison]] = {"checksum": "content", "size_only": "size", "update": "update"}


async def copy_clustered(
    session: Session, cluster: str, source: Place, target: Place, options: dict[str, Any], copy_options: dict[str, Any]
) -> None:
    """Copies a tree by the workers of a cluster, and says what was done.

    Arguments:
        session: reports.
        cluster: the address of the scheduler.
        source: the directory to copy.
        target: the directory of the copies.
        options: the values of `with_tree_options`.
        copy_options: the values of `file_keywords`.

    Raises:
        click.UsageError: an option does not go with a cluster.
        NotUsable: the extra is not installed.
    """
    call = _call(options, copy_options)
    try:
        check_apart(source, target)
        async with shown_progress(session, source) as show:
            progress = None if show is None else partial(_show, show)
            arguments = (cluster, source.operator, target.operator, source.path, target.path)
            report = await asyncio.to_thread(call, *arguments, progress=progress)
        _summarize(session, report)
        report.check()
    except Error as error:
        session.fail(source.name, error, source.name_of, target=target.name)


def _call(options: dict[str, Any], copy_options: dict[str, Any]) -> Callable[..., ClusterReport]:
    """`copy_tree`, or `sync_tree` if an option says how to compare, with the options."""
    refused = [name for name in _REFUSED if options[name] not in (None, False, ())] + list(copy_options)
    if refused:
        raise click.UsageError(f"--{refused[0].replace('_', '-')} does not go with --cluster")
    chosen = [name for name in _COMPARISONS if options[name]]
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise click.UsageError(f"{flags} exclude each other")
    try:
        from entrepot.integrations.dask import copy_tree, sync_tree
    except ImportError as error:
        raise NotUsable(str(error)) from error
    common = {"include": options["include"], "exclude": options["exclude"], "concurrent": options["concurrency"]}
    if chosen:
        return partial(sync_tree, compare=_COMPARISONS[chosen[0]], **common)
    return partial(copy_tree, **common)


def _show(show: Callable[[Progress], object], report: ClusterReport) -> None:
    show(Progress("", report.size, None, report.size, report.done + report.skipped))


def _summarize(session: Session, report: ClusterReport) -> None:
    others = {"skipped": report.skipped, "failed": report.failed}
    rest = "".join(f", {count} {name}" for name, count in others.items() if count)
    session.note(f"{report.done} of {report.listed} files ({human_size(report.size)}) copied{rest}")
