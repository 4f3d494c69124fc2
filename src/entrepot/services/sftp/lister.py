"""Listing a directory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import NotFound, PermissionDenied
from entrepot.raw import oio
from entrepot.raw.log import log_left_out
from entrepot.raw.oio.list.whole import WholeLister
from entrepot.raw.oio.windowed import gather
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.types import Entry, EntryMode, Metadata

from .session import Name, SftpSession, is_link, metadata_of

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease
    from entrepot.raw.runtime import Runtime

IN_FLIGHT: Final = 32
"""Requests for what links lead to in flight."""


class SftpLister(WholeLister):
    """Lists one directory. SFTP cannot continue a listing.

    Arguments:
        runtime: runs requests at the same time.
        take: takes a session.
        directory: the directory on the server.
        prefix: its path, with a slash at the end; empty for the root.
        page: the most entries of a page.
        links: receives the paths of links to directories. One of them is not listed: it could lead back up.
    """

    __slots__ = ("_directory", "_links", "_prefix", "_runtime", "_take")

    def __init__(
        self,
        runtime: Runtime,
        take: Callable[[], Awaitable[Lease[SftpSession]]],
        directory: bytes,
        prefix: str,
        page: int,
        links: set[str],
    ) -> None:
        super().__init__(self._all, page)
        self._runtime = runtime
        self._take = take
        self._directory = directory
        self._prefix = prefix
        self._links = links

    async def _all(self) -> tuple[Sequence[Entry], Sequence[oio.LeftOut]]:
        if self._prefix in self._links:
            return (), ()
        async with await self._take() as session:
            try:
                names = await session.names(self._directory)
            except NotFound:
                return (), ()
            entries = [Entry(self._prefix, Metadata(mode=EntryMode.DIR))] if self._prefix else []
            texts, unnamed = _texts(names)
            behind = await self._behind_links(session, [name for name, _ in texts if is_link(name.attributes)])
        entries += [self._entry(name, text, behind) for name, text in texts]
        return entries, [oio.left_out_names(self._prefix or "/", unnamed[0], len(unnamed))] if unnamed else []

    async def _behind_links(self, session: SftpSession, links: Sequence[Name]) -> Mapping[bytes, Metadata]:
        """The metadata of what links lead to, by their names."""
        found, directory = list[Metadata](), self._directory.rstrip(b"/")
        calls = (partial(_behind, session, directory + b"/" + link.name) for link in links)
        await gather(calls, self._runtime.window(IN_FLIGHT), found)
        return {link.name: metadata for link, metadata in zip(links, found, strict=True)}

    def _entry(self, name: Name, text: str, behind: Mapping[bytes, Metadata]) -> Entry:
        """The entry of a name, described as the file or directory that it leads to."""
        metadata = behind.get(name.name) or metadata_of(name.attributes)
        path = f"{self._prefix}{text}{'/' if metadata.is_dir else ''}"
        if metadata.is_dir and name.name in behind:
            self._links.add(path)
        return Entry(path, metadata)


async def _behind(session: SftpSession, link: bytes) -> Metadata:
    """The metadata of what a link leads to; of an unknown mode if that is nothing, or may not be looked at."""
    try:
        return metadata_of(await session.attributes(link))
    except (NotFound, PermissionDenied):
        return Metadata(mode=EntryMode.UNKNOWN)


def _texts(names: Sequence[Name]) -> tuple[list[tuple[Name, str]], list[bytes]]:
    """The names as text, without those of temporary files, and the names that no path can have."""
    texts = [(name, _text(name.name)) for name in names]
    unnamed = [name.name for name, text in texts if text is None]
    if unnamed:
        log_left_out("left out %s names that are not UTF-8 or have a line break", len(unnamed))
    return [(name, text) for name, text in texts if text is not None and not is_temporary_name(text)], unnamed


def _text(name: bytes) -> str | None:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    return None if {"\r", "\n"}.intersection(text) else text
