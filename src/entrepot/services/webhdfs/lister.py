"""Lists a directory of HDFS, in batches where the server has them."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.errors import NotADirectory, NotFound, Unsupported
from entrepot.raw.oio.list.page import Page
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.types import Entry, EntryMode, Metadata

from .cluster import Cluster
from .core import FileStatus, parse_batch, parse_statuses


class Listings:
    """The listings of one cluster. It remembers that the server has no batches, as HttpFS does not in old versions.

    Arguments:
        cluster: makes the calls.
        in_batches: whether to ask for batches.
    """

    __slots__ = ("_cluster", "_in_batches")

    def __init__(self, cluster: Cluster, *, in_batches: bool) -> None:
        self._cluster = cluster
        self._in_batches = in_batches

    async def page(self, path: str, prefix: str, token: str | None) -> Page:
        """One page of a directory, the directory itself first. A file, and what does not exist, has no entries.

        Arguments:
            path: the directory in HDFS.
            prefix: the start of the paths of entries.
            token: the last name of the page before; None is the first page.
        """
        try:
            statuses, next_token = await self._statuses(path, token)
        except (NotFound, NotADirectory):
            return Page([], None)
        if any(not status.name for status in statuses):  # the path is a file
            return Page([], None)
        own = [Entry(prefix or "/", Metadata(mode=EntryMode.DIR))] if token is None else []
        return Page([*own, *(_entry(prefix, status) for status in statuses if _is_seen(status))], next_token)

    async def first(self, path: str) -> Sequence[FileStatus]:
        """What a directory has, as far as one response says it, files that are no entries included."""
        try:
            statuses, _ = await self._statuses(path, None)
        except (NotFound, NotADirectory):
            return []
        return [status for status in statuses if status.name]  # without one it is the path itself, a file

    async def _statuses(self, path: str, token: str | None) -> tuple[Sequence[FileStatus], str | None]:
        dialect = self._cluster.dialect
        if self._in_batches:
            try:
                statuses, left = parse_batch(await self._cluster.call(dialect.list_batch(path, token)))
            except Unsupported:
                if token is not None:
                    raise
                self._in_batches = False
            else:
                return statuses, statuses[-1].name if left and statuses else None
        return parse_statuses(await self._cluster.call(dialect.list_all(path))), None


def _is_seen(status: FileStatus) -> bool:
    return not is_temporary_name(status.name) and "/" not in status.name


def _entry(prefix: str, status: FileStatus) -> Entry:
    return Entry(f"{prefix}{status.name}{'/' if status.is_directory else ''}", status.metadata)
