"""Conditions as RFC 9110 orders them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot import ConditionNotMatch, Metadata
from entrepot.raw import OpRead, OpStat
from entrepot.raw.conditions import check_conditions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
OBJECT = Metadata(etag='"a"', last_modified=NOW)


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"if_match": '"a"'},
        {"if_match": '"c", "a"'},
        {"if_match": "*"},
        {"if_none_match": '"b"'},
        {"if_modified_since": BEFORE},
        {"if_unmodified_since": NOW},
        {"if_match": '"a"', "if_unmodified_since": BEFORE},
        {"if_none_match": '"b"', "if_modified_since": AFTER},
    ],
)
def test_holds(conditions: dict[str, Any]) -> None:
    check_conditions(OBJECT, OpRead(**conditions))
    check_conditions(OBJECT, OpStat(**conditions))


@pytest.mark.parametrize(
    ("conditions", "named"),
    [
        ({"if_match": '"b"'}, "if_match"),
        ({"if_none_match": '"c", "a"'}, "if_none_match"),
        ({"if_none_match": '"a"'}, "if_none_match"),
        ({"if_none_match": "*"}, "if_none_match"),
        ({"if_modified_since": NOW}, "if_modified_since"),
        ({"if_unmodified_since": BEFORE}, "if_unmodified_since"),
        ({"if_match": '"b"', "if_unmodified_since": AFTER}, "if_match"),
    ],
)
def test_does_not_hold_and_says_which(conditions: dict[str, Any], named: str) -> None:
    with pytest.raises(ConditionNotMatch, match=f"{named} does not hold"):
        check_conditions(OBJECT, OpRead(**conditions))


@pytest.mark.parametrize("named", ['W/"a"', '"a"', '"b", W/"a"', '"b","a"'])
@pytest.mark.parametrize("etag", ['W/"a"', '"a"'])
def test_if_match_compares_strongly_and_if_none_match_weakly(named: str, etag: str) -> None:
    """RFC 9110, 8.8.3.2: two contents may share a weak etag."""
    described = Metadata(etag=etag, last_modified=NOW)
    with pytest.raises(ConditionNotMatch, match="if_none_match does not hold"):
        check_conditions(described, OpRead(if_none_match=named))
    if named.endswith(' W/"a"') or 'W/"a"' in (named, etag):
        with pytest.raises(ConditionNotMatch, match="if_match does not hold"):
            check_conditions(described, OpRead(if_match=named))
    else:
        check_conditions(described, OpRead(if_match=named))


def test_any_etag_is_matched_by_an_asterisk_and_none_by_nothing() -> None:
    check_conditions(Metadata(etag='W/"a"'), OpRead(if_match="*"))
    check_conditions(Metadata(), OpRead(if_none_match='"a"'))
    with pytest.raises(ConditionNotMatch):
        check_conditions(Metadata(), OpRead(if_match='"a"'))
