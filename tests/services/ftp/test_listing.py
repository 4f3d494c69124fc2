"""What is read from the lines of servers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entrepot import EntryMode, Metadata
from entrepot.services.ftp.listing import Line, parse_facts, parse_list, parse_mlsd, parse_time

TIME = datetime(2024, 1, 2, 3, 4, 5, 500_000, UTC)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ("type=file;size=3;", Metadata(content_length=3)),
        ("Type=FILE;Size=3;Modify=20240102030405.5;", Metadata(content_length=3, last_modified=TIME)),
        ("type=dir;size=4096;", Metadata(mode=EntryMode.DIR)),
        ("type=OS.unix=slink:/x;size=3;", Metadata(mode=EntryMode.UNKNOWN)),
        ("type=file;size=-3;modify=20241301000000;", Metadata()),
        (f"type=file;size={'9' * 5000};", Metadata()),
        ("", Metadata(mode=EntryMode.UNKNOWN)),
    ],
)
def test_facts(facts: str, expected: Metadata) -> None:
    assert parse_facts(facts) == expected


@pytest.mark.parametrize("text", [None, "", "2024", "x" * 14, "20240230000000", "2024010203040"])
def test_what_is_no_time(text: str | None) -> None:
    assert parse_time(text) is None


def test_mlsd() -> None:
    data = (
        b"type=cdir; .\r\ntype=pdir; ..\r\ntype=file;size=1;  leading and trailing \r\n"
        b"type=dir; d\r\ntype=OS.unix=slink:/x; link\r\n\r\ntype=file;size=2; \xc3\xa9\xff\n"
    )
    assert parse_mlsd(data) == [
        Line(b" leading and trailing ", Metadata(content_length=1)),
        Line(b"d", Metadata(mode=EntryMode.DIR)),
        Line(b"link", Metadata(mode=EntryMode.UNKNOWN), is_link=True),
        Line(b"\xc3\xa9\xff", Metadata(content_length=2)),
    ]


def test_list() -> None:
    data = (
        b"total 3\r\n"
        b"drwxr-xr-x    2 0        0            4096 Nov 30 03:08 .\r\n"
        b"-rw-r--r--    1 65534    65534           5 Nov 30 03:08 a file  with blanks \r\n"
        b"-rw-r--r--+   1 alice users 12 Jan  1  2020 - > dash\r\n"
        b"lrwxrwxrwx    1 0        0               4 Nov 30 03:08 link -> a/b\r\n"
        b"prw-r--r--    1 0        0               0 Nov 30 03:08 fifo\r\n"
        b"01-02-24  03:04PM       <DIR>          folder\r\n"
        b"01-02-2024  03:04AM              1234 file.txt\r\n"
        b"something else\r\n"
    )
    assert parse_list(data) == [
        Line(b"a file  with blanks ", Metadata(content_length=5)),
        Line(b"- > dash", Metadata(content_length=12)),
        Line(b"link", Metadata(mode=EntryMode.UNKNOWN), is_link=True),
        Line(b"fifo", Metadata(mode=EntryMode.UNKNOWN)),
        Line(b"folder", Metadata(mode=EntryMode.DIR)),
        Line(b"file.txt", Metadata(content_length=1234)),
    ]
