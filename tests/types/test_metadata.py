"""When two descriptions can be of the same bytes."""

from datetime import UTC, datetime

import pytest

from entrepot import EntryMode, Metadata

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Metadata(etag='"a"'), Metadata(etag='"a"'), True),
        (Metadata(etag='"a"'), Metadata(etag='"b"'), False),
        (Metadata(version="1", etag='"a"'), Metadata(version="2", etag='"a"'), False),
        (Metadata(version="1", etag='"a"'), Metadata(etag='"a"'), True),
        (Metadata(etag='"a"', last_modified=NOON), Metadata(etag='"a"', last_modified=LATER), True),
        (Metadata(last_modified=NOON, content_length=1), Metadata(last_modified=NOON, content_length=1), True),
        (Metadata(last_modified=NOON, content_length=1), Metadata(last_modified=NOON, content_length=2), False),
        (Metadata(last_modified=NOON), Metadata(last_modified=LATER), False),
        (Metadata(content_length=5), Metadata(), True),
        (Metadata(), Metadata(), True),
    ],
)
def test_is_same_content_by_the_strongest_mark_that_both_have(one: Metadata, other: Metadata, same: bool) -> None:
    assert one.is_same_content(other) is same
    assert other.is_same_content(one) is same


def test_mode_says_what_it_is() -> None:
    assert Metadata().is_file
    assert Metadata(mode=EntryMode.DIR).is_dir
    assert not Metadata(mode=EntryMode.UNKNOWN).is_file
