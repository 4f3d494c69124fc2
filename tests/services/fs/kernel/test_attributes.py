"""The meaning of attributes, without a file system."""

import os
import stat
from datetime import UTC, datetime

import pytest

from entrepot import EntryMode, IsADirectory, Unsupported
from entrepot.services.fs.kernel.attributes import check_is_regular, may_misstate_size, metadata_of


def attributes(mode: int = stat.S_IFREG, size: int = 0, mtime_ns: int = 0, blocks: int = 8) -> os.stat_result:
    ten = (mode | 0o644, 7, 1, 1, 0, 0, size, 0, mtime_ns // 10**9, 0)
    return os.stat_result(ten, {"st_mtime_ns": mtime_ns, "st_ctime_ns": 0x1234, "st_blocks": blocks})


def test_file_is_described_to_the_microsecond() -> None:
    metadata = metadata_of(attributes(size=5, mtime_ns=1_700_000_000_123_456_789))
    assert metadata.mode is EntryMode.FILE
    assert metadata.content_length == 5
    assert metadata.last_modified == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert metadata.etag == '"7-5-1234"'


def test_time_before_the_epoch_is_described() -> None:
    assert metadata_of(attributes(mtime_ns=-1)).last_modified == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize("mtime_ns", [10**24, -(10**24)])
def test_time_that_no_calendar_has_is_left_out(mtime_ns: int) -> None:
    assert metadata_of(attributes(mtime_ns=mtime_ns)).last_modified is None


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(stat.S_IFDIR, EntryMode.DIR)]
    + [(kind, EntryMode.UNKNOWN) for kind in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK)],
)
def test_what_is_no_file_has_no_length(kind: int, mode: EntryMode) -> None:
    metadata = metadata_of(attributes(kind, size=4096))
    assert (metadata.mode, metadata.content_length, metadata.etag) == (mode, None, None)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (stat.S_IFIFO, "FIFO"),
        (stat.S_IFSOCK, "socket"),
        (stat.S_IFCHR, "character device"),
        (stat.S_IFBLK, "block device"),
        (0, "something else"),
    ],
)
def test_only_regular_files_pass(kind: int, name: str) -> None:
    check_is_regular(attributes(stat.S_IFREG))
    with pytest.raises(Unsupported, match=name):
        check_is_regular(attributes(kind))


def test_directory_does_not_pass_as_a_file() -> None:
    with pytest.raises(IsADirectory):
        check_is_regular(attributes(stat.S_IFDIR))


@pytest.mark.parametrize(
    ("size", "blocks", "doubtful"),
    [
        (0, 0, True),
        (os.sysconf("SC_PAGE_SIZE"), 0, True),
        (os.sysconf("SC_PAGE_SIZE"), 8, False),
        (10, 0, False),
        (1 << 40, 0, False),
    ],
)
def test_size_is_doubted_where_made_up_files_have_theirs(size: int, blocks: int, doubtful: bool) -> None:
    assert may_misstate_size(attributes(size=size, blocks=blocks)) is doubtful
