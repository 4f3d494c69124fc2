"""The records of a zip archive (APPNOTE.TXT 6.3.10), pure: the end, the central directory, and local headers."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from entrepot.errors import Unexpected, Unsupported
from entrepot.raw.archive.names import member_path

LOCAL_SIZE: Final = 30
END64_SIZE: Final = 56

_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_CENTRAL: Final = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL: Final = struct.Struct("<4s22x2H")

_END_MARK: Final = b"PK\5\6"
_LOCATOR_MARK: Final = b"PK\6\7"
_END64_MARK: Final = b"PK\6\6"
_CENTRAL_MARK: Final = b"PK\1\2"
_LOCAL_MARK: Final = b"PK\3\4"

_ZIP64: Final = 0x0001
_TIMESTAMP: Final = 0x5455
_UNICODE_PATH: Final = 0x7075

_MAX_16: Final = 0xFFFF
_MAX_32: Final = 0xFFFFFFFF

_UTF_8: Final = 0x800
_FROM_DOS: Final = 0
"""The system that wrote a member whose names have backslashes between directories."""

_FROM_UNIX: Final = frozenset({3, 19})
"""Unix and macOS."""

_OF_FORMAT: Final = "cp437"


class End(NamedTuple):
    """The end of an archive.

    Arguments:
        position: where the record is, which ends the central directory.
        size: the size of the central directory.
        offset: where it begins, as the record says. Bytes before the archive are not counted in it.
        is_complete: False if the real values are in a zip64 record, which must be read from `offset`.
    """

    position: int
    size: int
    offset: int
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Member:
    """One member, as the central directory has it.

    Arguments:
        position: the offset of its local header in the object.
        compressed: the size of its data.
        size: the size of its content.
        crc: the CRC-32 of its content.
        method: the number of its compression.
        flags: the general purpose flags.
        name_length: the bytes of its name.
        extra_length: the bytes of its extra fields in the central directory; the local header may have others.
        dos_time: the time of the last change, in the clock of the writer: date and time of MS-DOS.
        unix_time: the same in seconds since 1970, if it is stated.
    """

    position: int
    compressed: int
    size: int
    crc: int
    method: int
    flags: int
    name_length: int
    extra_length: int
    dos_time: int
    unix_time: int | None

    @property
    def modified(self) -> datetime | None:
        """When it was changed. A time of MS-DOS has no time zone and is read as UTC."""
        if self.unix_time is not None:
            return datetime.fromtimestamp(self.unix_time, UTC)
        date, time = divmod(self.dos_time, 1 << 16)
        try:
            return datetime(
                (date >> 9) + 1980, date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC
            )
        except ValueError:
            return None


def find_end(tail: bytes, tail_position: int) -> End:
    """Finds the end of an archive in the last bytes of the object.

    Arguments:
        tail: the last bytes.
        tail_position: their offset in the object.

    Raises:
        Unexpected: there is none, so the object is not a zip archive or is truncated.
        Unsupported: the archive has several volumes.
    """
    start = _find_end_record(tail)
    _, disk, directory_disk, _, _, size, offset, _ = _END.unpack_from(tail, start)
    end = End(tail_position + start, size, offset)
    locator = start - _LOCATOR.size
    if locator >= 0 and tail.startswith(_LOCATOR_MARK, locator):
        end64 = locator - END64_SIZE
        if end64 >= 0 and tail.startswith(_END64_MARK, end64):
            return read_end64(tail[end64:locator], tail_position + end64)
        return End(end.position, 0, _LOCATOR.unpack_from(tail, locator)[2], is_complete=False)
    if disk or directory_disk:
        raise Unsupported("the archive has several volumes")
    return end


def read_end64(record: bytes, position: int) -> End:
    """Reads the zip64 record of the end.

    Raises:
        Unexpected: it is not one.
        Unsupported: the archive has several volumes.
    """
    if len(record) < END64_SIZE or not record.startswith(_END64_MARK):
        raise damaged("the zip64 record of the end is missing")
    _, _, _, _, disk, directory_disk, _, _, size, offset = _END64.unpack_from(record)
    if disk or directory_disk:
        raise Unsupported("the archive has several volumes")
    return End(position, size, offset)


def _find_end_record(tail: bytes) -> int:
    """The last record whose comment ends with the object, or else the last one: something may be appended."""
    found = []
    start = len(tail)
    while (start := tail.rfind(_END_MARK, 0, start)) >= 0:
        if start + _END.size <= len(tail):
            found.append(start)
            comment = _END.unpack_from(tail, start)[-1]
            if start + _END.size + comment == len(tail):
                return start
    if not found:
        raise Unexpected("the object is not a zip archive, or is truncated: it has no end record")
    return found[0]


def read_directory(directory: bytes, prefix: int, encoding: str | None) -> dict[str, Member]:
    """Reads the central directory. Of members with one path, the last one counts.

    Arguments:
        directory: its bytes.
        prefix: the bytes before the archive, such as the program of a self-extracting one.
        encoding: the encoding of names that are not marked as UTF-8; None to guess.

    Raises:
        Unexpected: it is damaged.
    """
    members: dict[str, Member] = {}
    at = 0
    while at < len(directory):
        if not directory.startswith(_CENTRAL_MARK, at) or at + _CENTRAL.size > len(directory):
            raise damaged("the central directory has no member where one should begin")
        fields = _CENTRAL.unpack_from(directory, at)
        name_at = at + _CENTRAL.size
        extra_at = name_at + fields[12]
        comment_at = extra_at + fields[13]
        raw_name, extra = directory[name_at:extra_at], directory[extra_at:comment_at]
        at = comment_at + fields[14]
        if at > len(directory):
            raise damaged("a member of the central directory is truncated")
        path = member_path(_name(raw_name, fields[5], fields[2], extra, encoding))
        if path is not None:
            members[path] = _member(fields, extra, prefix)
    return members


def read_local_header(header: bytes) -> int:
    """Returns the number of bytes between a local header's fixed part, which this is, and the data of the member.

    Raises:
        Unexpected: it is not one.
    """
    if len(header) < LOCAL_SIZE or not header.startswith(_LOCAL_MARK):
        raise damaged("a member has no local header where the central directory says")
    _, name, extra = _LOCAL.unpack_from(header)
    return int(name + extra)


def damaged(what: str) -> Unexpected:
    """The error for an archive that contradicts itself."""
    return Unexpected(f"the archive is damaged: {what}")


def _member(fields: tuple[int, ...], extra: bytes, prefix: int) -> Member:
    _, _, _, _, _, flags, method, time, date, crc, compressed, size, name, extra_length = fields[:14]
    position = fields[18]
    unix_time = None
    if extra:
        extras = _extras(extra)
        if (field := extras.get(_ZIP64)) is not None:
            size, compressed, position = _zip64(field, size, compressed, position)
        unix_time = _unix_time(extras.get(_TIMESTAMP, b""))
    return Member(
        position + prefix, compressed, size, crc, method, flags, name, extra_length, date << 16 | time, unix_time
    )


def _extras(extra: bytes) -> dict[int, bytes]:
    """The extra fields by their numbers. Bytes at the end that are no field are padding."""
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        number, length = struct.unpack_from("<2H", extra, at)
        fields.setdefault(number, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def _zip64(field: bytes, size: int, compressed: int, position: int) -> tuple[int, int, int]:
    """The sizes and the offset: those that do not fit into 32 bits are in the field, in this order."""
    values = [size, compressed, position]
    at = 0
    for index, value in enumerate(values):
        if value == _MAX_32:
            if at + 8 > len(field):
                raise damaged("a zip64 field is truncated")
            values[index] = int.from_bytes(field[at : at + 8], "little")
            at += 8
    return values[0], values[1], values[2]


def _unix_time(field: bytes) -> int | None:
    has_time = len(field) >= 5 and field[0] & 1
    return int.from_bytes(field[1:5], "little", signed=True) if has_time else None


def _name(raw: bytes, flags: int, system: int, extra: bytes, encoding: str | None) -> str:
    """The name of a member. It ends at a NUL, and names from MS-DOS and Windows have backslashes for slashes."""
    if flags & _UTF_8:
        name = raw.decode("utf-8", "backslashreplace")
    else:
        name = _unicode_name(raw, extra) or raw.decode(encoding or _guessed(raw, system), "backslashreplace")
    name = name.partition("\0")[0]
    return name.replace("\\", "/") if system == _FROM_DOS and "/" not in name else name


def _guessed(raw: bytes, system: int) -> str:
    """The encoding of a name that is not marked: that of the format, but programs of Unix write names as they are."""
    if system not in _FROM_UNIX:
        return _OF_FORMAT
    try:
        raw.decode()
    except UnicodeDecodeError:
        return _OF_FORMAT
    return "utf-8"


def _unicode_name(raw: bytes, extra: bytes) -> str | None:
    """The name in UTF-8 that a field has, if it is of this name."""
    field = _extras(extra).get(_UNICODE_PATH, b"") if extra else b""
    if len(field) < 5 or field[0] != 1 or int.from_bytes(field[1:5], "little") != zlib.crc32(raw):
        return None
    return field[5:].decode("utf-8", "backslashreplace")
