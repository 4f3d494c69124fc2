"""What servers say of files: facts (RFC 3659, 7), and the lines of LIST, which nobody has specified. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from entrepot.raw.http.headers import parse_length
from entrepot.types import EntryMode, Metadata

_MODES: Final = {"file": EntryMode.FILE, "dir": EntryMode.DIR, "cdir": EntryMode.DIR, "pdir": EntryMode.DIR}

_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6})\d*)?")
_UNIX: Final = re.compile(
    r"(?P<kind>[-dlbcps])[-rwxsStTl]{9}[.+@]?\s+\d+\s+\S+\s+(?:\S+\s+)?(?P<size>\d+)\s+"
    r"[A-Z][a-z]{2}\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4}) (?P<name>.+)"
)
_DOS: Final = re.compile(r"(?P<date>\d\d-\d\d-\d{2,4}\s+\d\d:\d\d[AP]M)\s+(?P<size><DIR>|\d+)\s+(?P<name>.+)")


class Line(NamedTuple):
    """A line of a listing.

    Arguments:
        name: the name, as the server stores it.
        metadata: what the line says of it.
        is_link: whether it is a symbolic link, so that the metadata is not that of the file.
    """

    name: bytes
    metadata: Metadata
    is_link: bool = False


def parse_facts(text: str) -> Metadata:
    """The metadata in facts such as `type=file;size=3;modify=20240102030405.678;`."""
    return _metadata_of(_facts_of(text.lower()))


def _facts_of(text: str) -> dict[str, str]:
    """The values of facts by their names, in lower case."""
    return {name: value for name, _, value in [fact.partition("=") for fact in text.split(";")]}


def _metadata_of(facts: Mapping[str, str]) -> Metadata:
    mode = _MODES.get(facts.get("type", ""), EntryMode.UNKNOWN)
    size = facts.get("size") if mode is EntryMode.FILE else None
    return Metadata(mode=mode, content_length=parse_length(size), last_modified=parse_time(facts.get("modify")))


def parse_time(text: str | None) -> datetime | None:
    """A time such as `20240102030405.678`, in UTC; None if it is not one."""
    match = _TIME.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction = match.groups("0")
    try:
        return datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), int(fraction.ljust(6, "0")), UTC
        )
    except ValueError:
        return None


def parse_mlsd(data: bytes) -> list[Line]:
    """The lines of MLSD, without those of the directory itself and of its parent."""
    lines = list[Line]()
    for line in _lines_of(data):
        stated, _, name = line.partition(b" ")
        if not name or name in {b".", b".."}:
            continue
        text = stated.decode("ascii", "replace").lower()
        facts = _facts_of(text)
        if facts.get("type") not in {"cdir", "pdir"}:
            lines.append(Line(name, _metadata_of(facts), is_link="slink" in text or "symlink" in text))
    return lines


def parse_list(data: bytes) -> list[Line]:
    """The lines of LIST, in the form of Unix or of DOS. Others, such as a total, are left out.

    Their times are left out too: they are to the minute or to the day, in a zone that the server does not state.
    """
    parsed = (_parse_line(line.decode("latin-1")) for line in _lines_of(data))
    return [line for line in parsed if line is not None and line.name not in {b".", b".."}]


def _lines_of(data: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in data.split(b"\n")]


def _parse_line(text: str) -> Line | None:
    if match := _UNIX.fullmatch(text):
        return _unix_line(match)
    if match := _DOS.fullmatch(text):
        return _dos_line(match)
    return None


def _unix_line(match: re.Match[str]) -> Line:
    kind, name = match["kind"], match["name"]
    mode = {"-": EntryMode.FILE, "d": EntryMode.DIR}.get(kind, EntryMode.UNKNOWN)
    if kind == "l":
        name = name.partition(" -> ")[0]
    size = parse_length(match["size"]) if mode is EntryMode.FILE else None
    return Line(name.encode("latin-1"), Metadata(mode=mode, content_length=size), is_link=kind == "l")


def _dos_line(match: re.Match[str]) -> Line:
    is_directory = match["size"] == "<DIR>"
    mode = EntryMode.DIR if is_directory else EntryMode.FILE
    metadata = Metadata(mode=mode, content_length=None if is_directory else parse_length(match["size"]))
    return Line(match["name"].encode("latin-1"), metadata)
