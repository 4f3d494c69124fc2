"""Finds the members of a tar archive, header by header.

Theory of operation. A tar archive has no directory: each header says how long its data is, and the next header follows.
`Scan` asks a source for one block after another. A source over a plain archive (`RangedBlocks`) requests windows:
larger ones while the headers are close to each other, and small ones after long data, which it leaves out. One over a
compressed archive (`DecodedBlocks`) decodes everything.

Names and sizes may be in headers of their own before the header that they belong to: pax headers (`x`, and `g` for all
that follow), and long names of GNU tar (`L`, `K`). A hard link means an earlier member of its target's name. A symbolic
link is followed at the end, when all members are known; one that leads to no file of the archive is left out.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import Final, Protocol

from entrepot.errors import Unexpected, Unsupported
from entrepot.raw.archive.decoded import DecodedBody
from entrepot.raw.archive.names import member_path
from entrepot.raw.archive.stored import StoredArchive
from entrepot.raw.oio.read.api import read_up_to

from .headers import (
    BLOCK,
    GNU_MORE_OF_EXTENSION,
    SPARSE,
    ZEROS,
    Header,
    Member,
    damaged,
    number_of,
    padded,
    read_header,
    read_records,
    segments_of_block,
    size_of,
)
from .sparse import check_segments, segments_of_data, segments_of_records

FIRST: Final = 64 * 1024
"""The first window, in bytes."""

LARGEST: Final = 8 * 1024 * 1024
"""The largest window."""

FAR: Final = 1024 * 1024
"""A gap between headers that is left out: about what arrives during a few round trips."""

SMALL: Final = 16 * 1024
"""The window after such a gap."""

LONGEST_EXTENSION: Final = 1024 * 1024
"""The most bytes of a header that extends another one."""

_MOST_LINKS: Final = 40

_DIRECTORIES: Final = "5D"
_WITHOUT_CONTENT: Final = "346V"
_WITHOUT_DATA: Final = "123456"
_VOLUME: Final = "M"


class Blocks(Protocol):
    """The bytes of an archive, requested with growing offsets."""

    async def read(self, offset: int, size: int) -> bytes:
        """Returns the bytes at an offset, fewer only at the end.

        Raises:
            Unexpected: the archive ends before the offset.
        """
        ...


class RangedBlocks:
    """A plain archive, by ranges.

    Arguments:
        archive: the object.
        head: its first bytes.
        size: its size.
    """

    def __init__(self, archive: StoredArchive, head: bytes, size: int) -> None:
        self._archive = archive
        self._size = size
        self._start = 0
        self._window = head
        self._length = FIRST

    async def read(self, offset: int, size: int) -> bytes:
        if offset > self._size:
            raise truncated()
        end = self._start + len(self._window)
        if offset + size > end and end < self._size:
            self._length = SMALL if offset - end > FAR else min(2 * self._length, LARGEST)
            self._window = await self._archive.fetch(offset, offset + max(size, self._length))
            self._start = offset
        return self._window[offset - self._start : offset - self._start + size]


class DecodedBlocks:
    """A compressed archive.

    Arguments:
        body: its content.
    """

    def __init__(self, body: DecodedBody) -> None:
        self._body = body

    async def read(self, offset: int, size: int) -> bytes:
        await self._body.seek(offset)
        data = await read_up_to(self._body, size)
        if not data and self._body.decoded < offset:
            raise truncated()
        return data


@dataclass(frozen=True, slots=True)
class _Link:
    """A link whose target is not known yet.

    Arguments:
        target: the path of the target; None if it is outside of the archive.
    """

    target: str | None


class Scan:
    """One pass through an archive.

    Arguments:
        blocks: the bytes of the archive.
        encoding: the encoding of names that no pax header has.
        max_members: the most members.
    """

    def __init__(self, blocks: Blocks, encoding: str, max_members: int) -> None:
        self._blocks = blocks
        self._encoding = encoding
        self._max_members = max_members
        self._found: dict[str, Member | _Link] = {}
        self._count = 0
        self._global: dict[str, str] = {}
        self._records: dict[str, str] = {}
        self._long_name: str | None = None
        self._long_link: str | None = None

    async def members(self) -> dict[str, Member]:
        """All members by path. Of members with one path, the last one counts.

        Raises:
            Unexpected: the archive is damaged or truncated, or is not a tar archive.
            Unsupported: it is one of several volumes, or has too many members.
        """
        offset = 0
        while (header := await self._header(offset)) is not None:
            offset = await self._take(header, offset)
        resolved = ((path, self._resolve(entry)) for path, entry in self._found.items())
        return {path: member for path, member in resolved if member is not None}

    async def _header(self, offset: int) -> Header | None:
        """The header at an offset; None at the end of the archive, which two blocks of zeros mark, or one, or none."""
        block = await self._blocks.read(offset, BLOCK)
        if block == ZEROS or (not block and offset):
            return None
        header = read_header(block) if len(block) == BLOCK else None
        if header is not None:
            return header
        if not offset:
            raise Unexpected("the object is not a tar archive")
        if len(block) < BLOCK:
            raise truncated()
        raise damaged(f"there is no header at byte {offset}")

    async def _take(self, header: Header, offset: int) -> int:
        """Takes what a header says, and returns the offset of the next one."""
        data = offset + BLOCK
        if header.kind in "xXgLK":
            self._extend(header, await self._extension(header, data))
            return data + padded(header.size)
        if header.kind == _VOLUME:
            raise Unsupported("the archive is one of several volumes")
        records = self._global | self._records
        size = header.size if (stated := size_of(records, "size")) is None else stated
        seconds = header.modified if (mtime := number_of(records, "mtime")) is None else mtime
        member = Member(offset, data, size, seconds)
        if header.kind == SPARSE:
            member = await self._sparse_of_header(header, member)
        elif segments := segments_of_records(records):
            member = replace(member, segments=segments)
        elif records.get("GNU.sparse.major") == "1":
            member = await self._sparse_of_data(member)
        self._keep(header, records, _with_holes(header, records, member, size))
        self._records, self._long_name, self._long_link = {}, None, None
        if header.kind in _WITHOUT_DATA:
            return data
        return (member.data if header.kind == SPARSE else data) + padded(size)

    async def _extension(self, header: Header, data: int) -> bytes:
        if header.size > LONGEST_EXTENSION:
            raise Unsupported(f"a header of {header.size} bytes is longer than {LONGEST_EXTENSION}")
        content = await self._blocks.read(data, header.size)
        if len(content) < header.size:
            raise truncated()
        return content

    def _extend(self, header: Header, content: bytes) -> None:
        """Takes a header that belongs to the next one, or to all that follow."""
        if header.kind == "g":
            self._global |= read_records(content)
        elif header.kind in "xX":
            self._records |= read_records(content)
        else:
            text = self._decoded(content.partition(b"\0")[0])
            if header.kind == "L":
                self._long_name = text
            else:
                self._long_link = text

    async def _sparse_of_header(self, header: Header, member: Member) -> Member:
        """A sparse file of the old format: its map is in the header and in others that follow, and then its data."""
        segments = list(header.segments)
        data, has_more = member.data, header.has_extension
        while has_more:
            block = await self._blocks.read(data, BLOCK)
            if len(block) < BLOCK:
                raise truncated()
            segments += segments_of_block(block, is_header=False)
            has_more = bool(block[GNU_MORE_OF_EXTENSION])
            data += BLOCK
        return replace(member, data=data, segments=tuple(segments))

    async def _sparse_of_data(self, member: Member) -> Member:
        """A sparse file whose data begins with its map."""
        length = BLOCK
        while (found := segments_of_data(await self._blocks.read(member.data, length))) is None:
            length *= 2
            if length > min(2 * padded(member.size), LONGEST_EXTENSION):
                raise damaged("the map of a sparse file does not end")
        segments, used = found
        return replace(member, data=member.data + padded(used), segments=segments)

    def _keep(self, header: Header, records: dict[str, str], member: Member) -> None:
        self._count += 1
        if self._count > self._max_members:
            raise Unsupported(f"the archive has more members than max_members ({self._max_members})")
        name = records.get("GNU.sparse.name") or records.get("path") or self._long_name or self._decoded(header.name)
        is_directory = header.kind in _DIRECTORIES or (header.kind == "\0" and name.endswith("/"))
        path = member_path(f"{name}/" if is_directory else name.rstrip("/"))
        if path is None:
            return
        if header.kind in "12":
            link = records.get("linkpath") or self._long_link or self._decoded(header.link)
            self._found[path] = self._link(path, link, is_hard=header.kind == "1")
        elif header.kind in _WITHOUT_CONTENT:
            self._found.pop(path, None)
        else:
            self._found[path] = member

    def _link(self, path: str, target: str, *, is_hard: bool) -> Member | _Link:
        if is_hard:
            found = member_path(target)
            return self._found.get(found or "") or _Link(found)
        joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target))
        is_outside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith("../")
        return _Link(None if is_outside else member_path(joined))

    def _resolve(self, entry: Member | _Link) -> Member | None:
        for _ in range(_MOST_LINKS):
            if isinstance(entry, Member):
                return entry
            found = self._found.get(entry.target or "")
            if found is None:
                return None
            entry = found
        return None

    def _decoded(self, raw: bytes) -> str:
        return raw.decode(self._encoding, "backslashreplace")


def _with_holes(header: Header, records: dict[str, str], member: Member, size: int) -> Member:
    """The member, with the size of its content if the archive leaves out its holes.

    Arguments:
        header: its header.
        records: its records.
        member: the member, with the segments of a sparse file.
        size: the size of its data, with the map in it.
    """
    if member.segments is None:
        return member
    content = size_of(records, "GNU.sparse.realsize", "GNU.sparse.size")
    total = header.sparse_size if content is None else content
    is_map_in_data = records.get("GNU.sparse.major") == "1"
    stored = size - (member.data - member.position - BLOCK) if is_map_in_data else size
    return replace(member, size=total, segments=check_segments(member.segments, stored, total))


def truncated() -> Unexpected:
    """The error for an archive that ends too early."""
    return damaged("it is truncated")
