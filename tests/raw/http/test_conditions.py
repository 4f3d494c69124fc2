"""Replies held to what they were asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from entrepot.errors import ConditionNotMatch
from entrepot.raw import OpRead, OpStat
from entrepot.raw.http.conditions import check_honoured, check_version
from entrepot.types import Metadata

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
IN_IT = MOMENT + timedelta(microseconds=999_999)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("metadata", "args", "holds"),
    [
        (Metadata(etag='"1"'), OpRead(if_match='"1"'), True),
        (Metadata(etag='"1"'), OpRead(if_match="1"), True),
        (Metadata(etag="1"), OpRead(if_match='"1"'), True),
        (Metadata(etag='"2"'), OpRead(if_match='"1"'), False),
        (Metadata(etag='W/"1"'), OpRead(if_match='"1"'), False),
        (Metadata(etag='W/"1"'), OpRead(if_match='W/"1"'), True),
        (Metadata(), OpRead(if_match='"1"'), False),
        (Metadata(), OpRead(if_match="*"), True),
        (Metadata(etag='"1"'), OpStat(if_none_match='"1"'), False),
        (Metadata(etag='W/"1"'), OpStat(if_none_match='"1"'), False),
        (Metadata(etag='"1"'), OpStat(if_none_match='W/"1"'), False),
        (Metadata(etag='"2"'), OpStat(if_none_match='"1"'), True),
        (Metadata(), OpStat(if_none_match='"1"'), True),
        (Metadata(), OpStat(if_none_match="*"), False),
        (Metadata(etag='"1"'), OpStat(if_none_match="*"), False),
        (Metadata(), OpStat(if_modified_since=MOMENT, if_unmodified_since=MOMENT), True),
        (Metadata(last_modified=MOMENT), OpStat(if_modified_since=MOMENT), False),
        (Metadata(last_modified=MOMENT), OpStat(if_modified_since=IN_IT), False),
        (Metadata(last_modified=MOMENT + SECOND), OpStat(if_modified_since=IN_IT), True),
        (Metadata(last_modified=MOMENT), OpStat(if_unmodified_since=MOMENT), True),
        (Metadata(last_modified=MOMENT), OpStat(if_unmodified_since=IN_IT), True),
        (Metadata(last_modified=MOMENT + SECOND), OpStat(if_unmodified_since=IN_IT), False),
        (Metadata(etag='"1"'), OpRead(if_match='"0", "1"'), True),
        (Metadata(etag='"1"'), OpRead(if_match='"0", "2"'), False),
        (Metadata(etag='"a,b"'), OpRead(if_match='"a,b"'), True),
        (Metadata(etag='"1"'), OpRead(if_none_match='"0", W/"1"'), False),
        (Metadata(etag='"1"'), OpRead(if_none_match='"0", "2"'), True),
        (Metadata(etag='"1"', last_modified=MOMENT), OpStat(if_match='"1"', if_unmodified_since=MOMENT - SECOND), True),
        (Metadata(etag='"1"', last_modified=MOMENT), OpStat(if_none_match='"2"', if_modified_since=MOMENT), True),
    ],
)
def test_a_reply_is_held_to_its_conditions(metadata: Metadata, args: OpRead | OpStat, holds: bool) -> None:
    if holds:
        check_honoured(metadata, args)
    else:
        with pytest.raises(ConditionNotMatch) as caught:
            check_honoured(metadata, args)
        assert caught.value.message.startswith("if_")


@pytest.mark.parametrize(
    ("stated", "asked", "holds"),
    [("1", "1", True), ("2", "1", False), ("null", "1", False), (None, "1", True), ("2", None, True)],
)
def test_a_reply_is_held_to_its_version(stated: str | None, asked: str | None, holds: bool) -> None:
    if holds:
        check_version(stated, OpRead(version=asked))
    else:
        with pytest.raises(ConditionNotMatch, match="version"):
            check_version(stated, OpRead(version=asked))
