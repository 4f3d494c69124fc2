"""The page of the documentation that says which cases of the behaviour suite each service passes.

`tools/generate_services.py` writes it to `docs/service-cases.md` from the targets that the services declare. It runs
nothing: `tests/behavior/test_suite.py` runs each case on each server, and fails where a declaration is not true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from entrepot.raw.suite import Sometimes

if TYPE_CHECKING:
    from entrepot.raw.suite import SuiteTarget
    from entrepot.testing import Case

PASSES: Final = "✓"
LACKS: Final = "✗"
OUT: Final = "-"

_INTRODUCTION: Final = """# Services, case by case

The [behaviour suite](behavior-suite.md) has {cases} cases, each about one behaviour that all services share. These are
the results of {services} services on {targets} targets: a target is a storage that the suite runs on, mostly a server.
Each result is checked: a case that passes here must pass in the tests, and a case that a server lacks must fail. On the
first target of each service, each case runs a second time without `await`. `python tools/generate_services.py` writes
this page.

| Look for | In |
|---|---|
| how much of the suite a service passes, and on which server | [By target](#by-target) |
| the operations and options that a service has, and how far | [By room](#by-room) |
| why a case does not pass on a server | [What servers lack](#what-servers-lack) |
| one behaviour on all services | [Every case](#every-case) |

## By target

A case does not apply if it needs an operation or option that the service refuses by its capability. A race in the
server decides the cases that are *by chance*. A server of our own is made after the protocol, where the real one cannot
be started: it proves only how we read the protocol.
"""

_ROOMS: Final = """## By room

How many cases of a room pass on at least one target of a service; `{out}` is a room of which none applies. In
`refusals`, a case applies if the service lacks an operation or option, and passes if that is refused before any I/O.
"""

_REASONS: Final = """## What servers lack

Nothing here is lacking in entrepot. Targets that are not listed lack nothing.
"""

_CASES: Final = """## Every case

| Mark | Means |
|---|---|
| {passes} | passes on every target of the service to which it applies |
| 4/5 | passes on four of its five targets; [the others lack it](#what-servers-lack) |
| {lacks} | every target lacks it |
| {out} | does not apply: the service refuses the operation or option by its capability |
"""


class _Run(NamedTuple):
    """One target, and the cases that apply to it."""

    target: SuiteTarget
    cases: frozenset[str]

    def passes(self, case: str) -> bool:
        """Whether a case applies and passes each time."""
        return case in self.cases and case not in self.target.lacks


class _Column(NamedTuple):
    """One service and its targets."""

    scheme: str
    runs: Sequence[_Run]

    def mark(self, case: str) -> str:
        """The result of a case."""
        applies = [run for run in self.runs if case in run.cases]
        passes = [run for run in applies if run.passes(case)]
        if not applies:
            return OUT
        if len(passes) == len(applies):
            return PASSES
        return f"{len(passes)}/{len(applies)}" if passes else LACKS

    def passing(self, cases: Iterable[Case]) -> str:
        """How many of some cases pass, of those that apply."""
        marks = [mark for case in cases if (mark := self.mark(case.name)) != OUT]
        passes = len(marks) - marks.count(LACKS)
        if not marks:
            return OUT
        return f"{passes}" if passes == len(marks) else f"{passes} of {len(marks)}"


def page(targets: dict[str, tuple[SuiteTarget, ...]]) -> str:
    """The text of the page.

    Arguments:
        targets: the targets of each service, by its scheme.
    """
    from entrepot.testing import CASES

    columns = [_Column(scheme, [_run(target) for target in declared]) for scheme, declared in targets.items()]
    rooms = _rooms(CASES)
    count = sum(len(column.runs) for column in columns)
    sections = [
        _INTRODUCTION.format(cases=len(CASES), services=len(columns), targets=count),
        *_targets(columns, len(CASES)),
        _ROOMS.format(out=OUT),
        *_counts(columns, rooms),
        _REASONS,
        *_reasons(columns),
        _CASES.format(passes=PASSES, lacks=LACKS, out=OUT),
        *(line for room, cases in rooms.items() for line in _room(columns, room, cases)),
    ]
    return "\n".join(sections)


def _run(target: SuiteTarget) -> _Run:
    from entrepot import Operator
    from entrepot.testing import cases_for

    info = Operator(target.sample).info
    cases = cases_for(info, can_put=not info.capability.write)
    return _Run(target, frozenset(case.name for case in cases))


def _rooms(cases: Iterable[Case]) -> dict[str, list[Case]]:
    rooms: dict[str, list[Case]] = {}
    for case in cases:
        rooms.setdefault(case.name.partition(".")[0], []).append(case)
    return rooms


def _targets(columns: Sequence[_Column], total: int) -> list[str]:
    rows = [[f"`{column.scheme}`", *_facts(run, total)] for column in columns for run in column.runs]
    return _table(["Service", "Target", "Server", "Pass", "Lacking", "By chance", "Do not apply"], rows)


def _facts(run: _Run, total: int) -> list[str]:
    lacking = run.target.lacks.values()
    by_chance = sum(isinstance(reason, Sometimes) for reason in lacking)
    numbers = len(run.cases) - len(lacking), len(lacking) - by_chance, by_chance, total - len(run.cases)
    server = f"`{run.target.server}`{', our own' if run.target.is_ours else ''}" if run.target.server else "none"
    return [f"`{run.target.name}`", server, *map(str, numbers)]


def _counts(columns: Sequence[_Column], rooms: dict[str, list[Case]]) -> list[str]:
    rows = [
        [f"[`{room}`](#{room})", f"{len(cases)}", *(column.passing(cases) for column in columns)]
        for room, cases in rooms.items()
    ]
    return _table(["Room", "Cases", *(column.scheme for column in columns)], rows)


def _reasons(columns: Sequence[_Column]) -> list[str]:
    runs = [run for column in columns for run in column.runs if run.target.lacks]
    return [line for run in runs for line in _reasons_of(run.target)]


def _reasons_of(target: SuiteTarget) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for case, reason in target.lacks.items():
        text = f"{reason} (by chance)" if isinstance(reason, Sometimes) else str(reason)
        by_reason.setdefault(text, []).append(f"`{case}`")
    rows = [[reason[:1].upper() + reason[1:], ", ".join(cases)] for reason, cases in by_reason.items()]
    return [f"### {target.name}", "", *_table(["Reason", "Cases"], rows)]


def _room(columns: Sequence[_Column], room: str, cases: Sequence[Case]) -> list[str]:
    rows = [
        [f"`{case.name.partition('.')[2]}`", _about(case), *(column.mark(case.name) for column in columns)]
        for case in cases
    ]
    return [f"### {room}", "", *_table(["Case", "About", *(column.scheme for column in columns)], rows)]


def _about(case: Case) -> str:
    """The first line of the documentation of a case; empty for cases that are made from a table."""
    return (case.run.__doc__ or "").strip().partition("\n")[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return [*(f"| {' | '.join(line)} |" for line in escaped), ""]
