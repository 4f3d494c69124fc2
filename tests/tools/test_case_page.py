"""The page with the results of the behaviour suite says what the targets declare."""

from __future__ import annotations

from entrepot.raw.suite import Sometimes, SuiteTarget
from entrepot.services import Http, Memory
from entrepot.testing import CASES
from tests.docs.markdown import table
from tools.case_page import page


def _memory(name: str, lacks: dict[str, str]) -> SuiteTarget:
    return SuiteTarget(name, Memory(), lambda _: None, lacks=lacks)  # type: ignore[arg-type, return-value]


TARGETS = {
    "memory": (
        _memory("first", {"stat.many_paths": "it loses | paths", "read.ranges": Sometimes("it races")}),
        _memory("second", {"stat.many_paths": "it counts to three"}),
    ),
    "http": (SuiteTarget("web", Http("http://127.0.0.1:1"), lambda _: None, server="nginx", is_ours=True),),  # type: ignore[arg-type, return-value]
}
PAGE = page(TARGETS)


def _marks() -> dict[str, list[str]]:
    """The marks of each case, by its name with the room."""
    rooms = PAGE.partition("## Every case")[2].split("\n### ")[1:]
    rows = {room.partition("\n")[0]: table(room, "Case", "About", "memory", "http") for room in rooms}
    return {f"{room}.{case.strip('`')}": marks for room, cases in rows.items() for case, _, *marks in cases}


def test_the_mark_of_a_case_says_on_how_many_targets_it_passes() -> None:
    marks = _marks()
    assert sorted(marks) == sorted(case.name for case in CASES)
    assert marks["stat.many_paths"] == ["✗", "✓"]
    assert marks["read.ranges"] == ["1/2", "✓"]
    assert marks["write.if_not_exists"] == ["✓", "-"]
    assert marks["presign.form"] == ["-", "-"]


def test_targets_and_reasons_are_listed() -> None:
    [first, second, web] = table(PAGE, "Service", "Target", "Server", "Pass", "Lacking", "By chance", "Do not apply")
    assert first[:3] == ["`memory`", "`first`", "none"] and first[4:6] == ["1", "1"]
    assert sum(map(int, second[3:])) == len(CASES)
    assert web[2] == "`nginx`, our own"
    assert "| It races (by chance) | `read.ranges` |" in PAGE
    assert r"| It loses \| paths | `stat.many_paths` |" in PAGE


def test_rooms_are_counted() -> None:
    rows = {row[0]: row[1:] for row in table(PAGE, "Room", "Cases", "memory", "http")}
    assert rows["[`stat`](#stat)"] == ["13", "12 of 13", "7"]
    assert rows["[`uploads`](#uploads)"][1:] == ["-", "-"]
