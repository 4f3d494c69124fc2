"""The headers of a tar archive (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"), pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from entrepot.errors import Unexpected

BLOCK: Final = 512
SPARSE: Final = "S"
ZEROS: Final = bytes(BLOCK)

_FIELDS: Final = struct.Struct("100s8s8s8s12s12s8sc100s6s82x155s12x")
_LONGEST_LENGTH: Final = 20
"""The most digits of the length of a pax record, and the blank after it."""

_USTAR: Final = b"ustar\0"
_CHECKSUM: Final = slice(148, 156)
_CHECKSUM_BLANK: Final = 8 * ord(" ")
_GNU_MORE: Final = 482
_GNU_SIZE: Final = slice(483, 495)
GNU_MORE_OF_EXTENSION: Final = 504

_POSITIVE: Final = 0x80
_NEGATIVE: Final = 0xFF


_ENTRY: Final = 12
_IN_HEADER: Final = range(386, 386 + 4 * 2 * _ENTRY, 2 * _ENTRY)
_IN_EXTENSION: Final = range(0, 21 * 2 * _ENTRY, 2 * _ENTRY)

Segments = tuple[tuple[int, int], ...]
"""The stored bytes of a sparse file: the offset in the content and the size of each run of them, in order."""


class Header(NamedTuple):
    """One header block.

    Arguments:
        name: the name as bytes.
        size: the size of the data after the header.
        modified: seconds since 1970.
        kind: the type flag, as one character.
        link: the name of the target of a link, as bytes.
        sparse_size: the size of the content of a sparse file of GNU tar's old format.
        has_extension: whether such a file has another header after this one.
        segments: the first segments of such a file.
    """

    name: bytes
    size: int
    modified: int
    kind: str
    link: bytes
    sparse_size: int
    has_extension: bool
    segments: Segments


@dataclass(frozen=True, slots=True)
class Member:
    """One member with content, or a directory.

    Arguments:
        position: the offset of its header in the archive, which is decompressed.
        data: the offset of its content.
        size: the size of its content.
        seconds: when it was changed, in seconds since 1970.
        segments: those of a sparse file. Other files are stored as a whole.
    """

    position: int
    data: int
    size: int
    seconds: float
    segments: Segments | None = None

    @property
    def stored(self) -> int:
        """The size of the stored bytes."""
        return self.size if self.segments is None else sum(size for _, size in self.segments)

    @property
    def modified(self) -> datetime | None:
        """When it was changed; None for a time outside of the calendar."""
        try:
            return datetime.fromtimestamp(self.seconds, UTC)
        except (OverflowError, ValueError, OSError):
            return None


def read_header(block: bytes) -> Header | None:
    """Reads a header block; None if it is not one."""
    if _number(block[_CHECKSUM]) not in _checksums(block):
        return None
    name, _, _, _, size, modified, _, kind, link, magic, prefix = _FIELDS.unpack(block)
    lengths = _number(size), _number(modified)
    if lengths[0] is None or lengths[0] < 0 or lengths[1] is None:
        return None
    name, prefix = _text(name), _text(prefix)
    if prefix and magic == _USTAR:
        name = prefix + b"/" + name
    flag, content = kind.decode("latin-1"), _number(block[_GNU_SIZE]) or 0
    segments = tuple(segments_of_block(block, is_header=True)) if flag == SPARSE else ()
    return Header(name, lengths[0], lengths[1], flag, _text(link), content, bool(block[_GNU_MORE]), segments)


def segments_of_block(block: bytes, *, is_header: bool) -> Iterator[tuple[int, int]]:
    """The segments that a header of the old format has, or an extension of one. An empty entry ends them."""
    for at in _IN_HEADER if is_header else _IN_EXTENSION:
        entry = block[at : at + 2 * _ENTRY]
        if not entry.strip(b"\0 "):
            break
        yield number_in(entry[:_ENTRY]), number_in(entry[_ENTRY:])


def read_records(content: bytes) -> dict[str, str]:
    """Reads the records of a pax header, such as `"30 mtime=1700000000.123456789"` with a line feed.

    Raises:
        Unexpected: they are damaged.
    """
    records: dict[str, str] = {}
    at = 0
    while at < len(content) and content[at]:
        digits, _, _ = content[at : at + _LONGEST_LENGTH].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if not (equals and record.endswith(b"\n") and at + length <= len(content)):
            raise damaged("a pax header has a record that cannot be read")
        _add_record(records, key.decode("utf-8", "backslashreplace"), value[:-1].decode("utf-8", "backslashreplace"))
        at += length
    return records


def _add_record(records: dict[str, str], key: str, value: str) -> None:
    """Adds a record. The first version of sparse files has a record for each number, which become one map."""
    if key in {"GNU.sparse.offset", "GNU.sparse.numbytes"}:
        records["GNU.sparse.map"] = f"{records.get('GNU.sparse.map', '')}{value},"
    else:
        records[key] = value


def number_of(records: Mapping[str, str], key: str) -> float | None:
    """The number that a record has; None without the record.

    Raises:
        Unexpected: it is not a number.
    """
    if key not in records:
        return None
    try:
        return float(records[key]) if "." in records[key] else int(records[key])
    except ValueError:
        raise damaged(f"a pax header has no number as its {key}") from None


def size_of(records: Mapping[str, str], *keys: str) -> int | None:
    """The size in bytes that the first of these records has; None without one.

    Raises:
        Unexpected: it is not one.
    """
    stated = next((number for key in keys if (number := number_of(records, key)) is not None), None)
    if stated is not None and (stated < 0 or (isinstance(stated, float) and not stated.is_integer())):
        raise damaged("a pax header has something else than a size")
    return None if stated is None else int(stated)


def number_in(field: bytes) -> int:
    """The number in a field of a header.

    Raises:
        Unexpected: it is not one.
    """
    number = _number(field)
    if number is None or number < 0:
        raise damaged("a header has a field without its number")
    return number


def padded(size: int) -> int:
    """The bytes of the blocks that hold data of this size."""
    return -(-size // BLOCK) * BLOCK


def damaged(what: str) -> Unexpected:
    """The error for an archive that contradicts itself."""
    return Unexpected(f"the archive is damaged: {what}")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int | None:
    """A number in octal digits, or in binary if the first bit is set; None if it is neither."""
    if field[0] in {_POSITIVE, _NEGATIVE}:
        return int.from_bytes(field[1:], "big") - (1 << 8 * (len(field) - 1) if field[0] == _NEGATIVE else 0)
    digits = _text(field).strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return None


def _checksums(block: bytes) -> tuple[int, int]:
    """The sums of the bytes, with blanks for the checksum: unsigned, and signed as some old programs add."""
    unsigned = sum(block) - sum(block[_CHECKSUM]) + _CHECKSUM_BLANK
    high = sum(byte > 127 for byte in block) - sum(byte > 127 for byte in block[_CHECKSUM])
    return unsigned, unsigned - 256 * high
