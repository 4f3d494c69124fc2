"""Reads a tar archive: its headers once, and then each member by its range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from entrepot.errors import Unexpected
from entrepot.raw import Accessor, Context, oio
from entrepot.raw.archive.accessor import ArchiveAccessor
from entrepot.raw.archive.codecs import Decoder, RepeatedDecoder, by_magic
from entrepot.raw.archive.decoded import UNBOUNDED, Compressed, DecodedBody
from entrepot.raw.archive.index import Index, Window
from entrepot.raw.archive.stored import StoredArchive
from entrepot.raw.archive.tree import Tree
from entrepot.raw.runtime import Runtime

from .config import Tar
from .headers import BLOCK, ZEROS, Member, read_header
from .scan import FIRST, DecodedBlocks, RangedBlocks, Scan
from .sparse import SparseBody


def accessor_of(config: Tar, context: Context) -> Accessor:
    """The service. No I/O."""

    async def build(archive: StoredArchive) -> TarIndex:
        return await build_index(archive, config, context.runtime)

    return ArchiveAccessor(config, context, build)


async def build_index(archive: StoredArchive, config: Tar, runtime: Runtime) -> TarIndex:
    """Reads the headers of an archive: of a plain one by ranges, of a compressed one by decompressing all of it.

    Raises:
        Unexpected: the object is not a tar archive, or is damaged.
        Unsupported: the archive is one of several volumes or has too many members, or its compression is not
            available.
    """
    head = await archive.fetch(0, FIRST)
    size = await archive.size()
    if _is_plain(head[:BLOCK]):
        members = await Scan(RangedBlocks(archive, head, size), config.encoding, config.max_members).members()
        return TarIndex(archive, members, None, runtime)
    decoder = by_magic(head)
    if decoder is None:
        raise Unexpected("the object is not a tar archive")
    stream = _compressed(archive, decoder)
    body = DecodedBody(runtime, stream, 0, UNBOUNDED)
    try:
        members = await Scan(DecodedBlocks(body), config.encoding, config.max_members).members()
    finally:
        await body.close()
    return TarIndex(archive, members, stream, runtime)


def _is_plain(block: bytes) -> bool:
    return block == ZEROS or (len(block) == BLOCK and read_header(block) is not None)


def _compressed(archive: StoredArchive, decoder: Callable[[], Decoder]) -> Compressed:
    return Compressed(archive.open, partial(RepeatedDecoder, decoder))


class TarIndex(Index[Member]):
    """The members of a tar archive.

    Arguments:
        archive: the object that holds the archive.
        members: the members by path.
        stream: the archive, if it is compressed. It keeps restart points from the pass that found the members.
        runtime: has the threads for decoders.
    """

    def __init__(
        self, archive: StoredArchive, members: dict[str, Member], stream: Compressed | None, runtime: Runtime
    ) -> None:
        super().__init__(archive, Tree(members))
        self._stream = stream
        self._runtime = runtime

    async def open(self, archive: StoredArchive, member: Member, window: Window) -> oio.Read:
        """Opens a body for a window of a member."""
        if member.segments is None:
            return await self._open_stored(archive, member, window)
        stored = await self._open_stored(archive, member, Window(0, member.stored, window.read_ahead))
        return SparseBody(self._runtime, stored, member.segments, window.start, window.size)

    async def _open_stored(self, archive: StoredArchive, member: Member, window: Window) -> oio.Read:
        start, end = member.data + window.start, member.data + window.end
        if self._stream is None:
            return await archive.open(start, end, window.read_ahead)
        return DecodedBody(self._runtime, replace(self._stream, open=archive.open), start, window.size)
