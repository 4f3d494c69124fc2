"""Reads a zip archive by ranges: its directory by at most three requests, and a member by one where that suffices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final

from entrepot.errors import Unsupported
from entrepot.raw import Accessor, Context, oio
from entrepot.raw.archive import codecs
from entrepot.raw.archive.accessor import ArchiveAccessor
from entrepot.raw.archive.codecs import Decoder
from entrepot.raw.archive.decoded import Compressed, DecodedBody, Restarts
from entrepot.raw.archive.index import Index, Window
from entrepot.raw.archive.stored import Checked, Part, StoredArchive
from entrepot.raw.archive.tree import Tree
from entrepot.raw.oio.read.api import read_up_to
from entrepot.raw.runtime import Runtime

from .config import Zip
from .directory import (
    END64_SIZE,
    LOCAL_SIZE,
    End,
    Member,
    damaged,
    find_end,
    read_directory,
    read_end64,
    read_local_header,
)
from .lzma_member import LzmaMember

TAIL: Final = 128 * 1024
"""How much is read at the end: the longest comment with the end records, and the directory of a thousand members."""

NEAR: Final = 64 * 1024
"""The bytes from a local header on that are read to reach a range of a stored member by the same request."""

SPARE: Final = 512
"""The bytes that a local header may have more than the directory shows without another request."""

PARSED_AT_ONCE: Final = 256 * 1024
"""The most bytes of a directory that are parsed on the event loop: 3,000 members, in a few milliseconds."""

STORED: Final = 0
DEFLATED: Final = 8
_DECODERS: Final[Mapping[int, Callable[[], Decoder]]] = {
    DEFLATED: codecs.deflate,
    12: codecs.bzip2,
    14: LzmaMember,
    93: codecs.zstd,
    95: codecs.xz,
}
_ENCRYPTED: Final = 1
_PATCH: Final = 0x20
_RESTARTS: Final = 8
"""The members whose restart points are kept."""


def accessor_of(config: Zip, context: Context) -> Accessor:
    """The service. No I/O."""

    async def build(archive: StoredArchive) -> ZipIndex:
        return await build_index(archive, config, context.runtime)

    return ArchiveAccessor(config, context, build)


async def build_index(archive: StoredArchive, config: Zip, runtime: Runtime) -> ZipIndex:
    """Reads the directory of an archive.

    Requests: the tail, the zip64 record if it is not where programs write it, and what the tail lacks of the directory.

    Raises:
        Unexpected: the object is not a zip archive or is damaged, or its directory is larger than the configuration
            allows.
        Unsupported: the archive has several volumes.
    """
    tail = await archive.read_tail(TAIL)
    tail_position = await archive.size() - len(tail)
    end = find_end(tail, tail_position)
    if not end.is_complete:
        end = read_end64(await archive.fetch(end.offset, end.offset + END64_SIZE), end.offset)
    _check_size(end, config)
    start = end.position - end.size
    if start >= tail_position:
        directory = tail[start - tail_position : end.position - tail_position]
    else:
        directory = await archive.fetch(start, min(end.position, tail_position))
        directory += tail[: max(0, end.position - tail_position)]

    def parse() -> ZipIndex:
        return ZipIndex(archive, read_directory(directory, start - end.offset, config.encoding), start, runtime)

    return parse() if end.size <= PARSED_AT_ONCE else await runtime.blocking_long(parse)


def _check_size(end: End, config: Zip) -> None:
    if end.size > end.position or end.offset > end.position - end.size:
        raise damaged("its directory does not fit before its end")
    if end.size > config.max_directory_size:
        raise Unsupported(
            f"the central directory has {end.size} bytes, more than max_directory_size ({config.max_directory_size})"
        )


class ZipIndex(Index[Member]):
    """The members of a zip archive.

    Arguments:
        archive: the object that holds the archive.
        members: the members by path.
        directory: the offset of the central directory, which ends the last member.
        runtime: has the threads for decoders.
    """

    def __init__(self, archive: StoredArchive, members: dict[str, Member], directory: int, runtime: Runtime) -> None:
        super().__init__(archive, Tree(members))
        self._runtime = runtime
        self._bounds = [*sorted({member.position for member in members.values()}), directory]
        self._data: dict[int, int] = {}
        self._restarts: dict[int, Restarts] = {}

    async def open(self, archive: StoredArchive, member: Member, window: Window) -> oio.Read:
        """Opens a body for a window of a member.

        Raises:
            Unsupported: it is encrypted or a patch, or its compression is unknown.
            Unexpected: the archive is damaged.
        """
        if member.flags & (_ENCRYPTED | _PATCH):
            raise Unsupported("the member is encrypted, which this service cannot read")
        if member.method == STORED:
            return await self._open_stored(archive, member, window)
        decoder = _DECODERS.get(member.method)
        if decoder is None:
            raise Unsupported(f"the member has the compression method {member.method}, which this service cannot read")

        async def open_compressed(offset: int) -> oio.Read:
            return await self._open_data(archive, member, Window(offset, member.compressed, window.read_ahead))

        stream = Compressed(
            open_compressed,
            decoder,
            size=member.size,
            crc=member.crc,
            is_light=member.method == DEFLATED,
            restarts=self._restarts_of(member),
        )
        return DecodedBody(self._runtime, stream, window.start, window.size)

    async def _open_stored(self, archive: StoredArchive, member: Member, window: Window) -> oio.Read:
        if member.compressed != member.size:
            raise damaged("a stored member has two sizes")
        part = await self._open_data(archive, member, window)
        return Checked(part, member.crc) if window.size == member.size else part

    async def _open_data(self, archive: StoredArchive, member: Member, window: Window) -> Part:
        """Opens a body for a window of the data of a member, as it stands in the archive.

        The data begins after the local header, whose length only the local header has. A window that is near is
        requested together with the header, and what follows from it is kept.
        """
        data = self._data.get(member.position)
        if data is None and window.start <= NEAR:
            part = await self._open_at_header(archive, member, window)
            data = self._data[member.position]
            if data - member.position + window.end <= part.size:
                part.narrow(data - member.position + window.start, window.size)
                return part
            await part.close()
        elif data is None:
            header = await archive.fetch(member.position, member.position + LOCAL_SIZE)
            data = self._note_header(member, header)
        return await archive.open(data + window.start, data + window.end, window.read_ahead)

    async def _open_at_header(self, archive: StoredArchive, member: Member, window: Window) -> Part:
        """Opens a body from the local header on, and reads that. It ends after the window, as far as can be known."""
        position, bound = member.position, self._bound(member)
        header_length = LOCAL_SIZE + member.name_length + member.extra_length + SPARE
        part = await archive.open(position, min(bound, position + header_length + window.end), window.read_ahead)
        try:
            self._note_header(member, await read_up_to(part, LOCAL_SIZE))
        except BaseException:
            await part.close()
            raise
        return part

    def _note_header(self, member: Member, header: bytes) -> int:
        """Keeps where the data of a member begins, and returns it.

        Raises:
            Unexpected: there is no local header, or the data overlaps another member.
        """
        data = member.position + LOCAL_SIZE + read_local_header(header)
        if data + member.compressed > self._bound(member):
            raise damaged("the data of a member overlaps another one")
        self._data[member.position] = data
        return data

    def _bound(self, member: Member) -> int:
        """Where the next member begins, or the directory."""
        after = bisect_right(self._bounds, member.position)
        return self._bounds[after] if after < len(self._bounds) else member.position

    def _restarts_of(self, member: Member) -> Restarts:
        restarts = self._restarts.pop(member.position, None) or Restarts()
        while len(self._restarts) >= _RESTARTS:
            del self._restarts[next(iter(self._restarts))]
        self._restarts[member.position] = restarts
        return restarts
