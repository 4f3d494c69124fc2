"""Measures all contenders in turn, each time in a separate process, and collects the figures."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from . import contenders
from .grounds import Grounds
from .workloads import Case, Scale

PATIENCE: Final = 300
"""Seconds that a process may take."""

Figures = dict[str, float]


@dataclass(slots=True)
class Row:
    """The result of one contender in one case on one event loop.

    Arguments:
        contender: its name.
        loop: the event loop; "none" without one.
        rounds: the figures of each round.
        failure: how it failed, if it did; it is not measured again then.
        requests: how many requests it made, where they are counted.
    """

    contender: str
    loop: str
    rounds: list[Figures] = field(default_factory=list)
    failure: str | None = None
    requests: int | None = None

    def median(self, figure: str) -> float:
        return statistics.median(figures[figure] for figures in self.rounds)

    def spread(self, figure: str) -> tuple[float, float]:
        values = [figures[figure] for figures in self.rounds]
        return min(values), max(values)


@dataclass(frozen=True, slots=True)
class Result:
    """A case and the results of all contenders."""

    case: Case
    rows: list[Row]

    def row(self, contender: str, loop: str) -> Row | None:
        """The result of a contender on a loop, if it was measured there and did not fail."""
        rows = (row for row in self.rows if (row.contender, row.loop) == (contender, loop) and row.rounds)
        return next(rows, None)


def participants(case: Case) -> list[str]:
    """The names of the contenders that support it, installed or not."""
    return [name for name in case.only or contenders.names() if _can(name, case)]


def _can(name: str, case: Case) -> bool:
    module = contenders.contender(name)
    if case.store == "Package":
        return hasattr(module, "PACKAGE")
    return hasattr(getattr(module, case.store, None), case.verb)


def _is_on(name: str, loop: str) -> bool:
    """Whether it is measured on a loop: only on one where the loop makes no difference."""
    return loop in getattr(contenders.contender(name), "LOOPS", (loop,))


def measure(case: Case, grounds: Grounds, scale: Scale, names: list[str], tell: Callable[[str], None]) -> Result:
    """Measures one case, all contenders in turn, over several rounds: a disturbance of the machine affects all of them.

    Arguments:
        case: the case.
        grounds: the test data.
        scale: the number of rounds and their duration.
        names: the contenders.
        tell: called with a line for each process that is started.
    """
    loops = [loop for loop in case.loops if loop == "none" or loop in scale.loops]
    rows = [Row(name, loop) for loop in loops for name in names if _is_on(name, loop)]
    for number in range(1 if case.is_steady else scale.rounds):
        for row in _in_turn(rows, number):
            tell(f"{case.workload} {case.name}: round {number + 1}, {row.contender} on {row.loop}")
            _run(row, case, grounds, scale)
    if case.counts_requests:
        _count_requests(rows, case, grounds, scale)
    return Result(case, rows)


def _in_turn(rows: list[Row], number: int) -> Iterator[Row]:
    """The contenders that have not failed, each round starting with a different one."""
    begin = number % len(rows) if rows else 0
    return (row for row in rows[begin:] + rows[:begin] if row.failure is None)


def _run(row: Row, case: Case, grounds: Grounds, scale: Scale) -> None:
    try:
        figures = _figures(row, case, grounds.place(case), grounds, scale)
    except (ChildProcessError, subprocess.TimeoutExpired) as error:
        row.failure, row.rounds = str(error), []
    else:
        row.rounds.append(figures | {"value": _value(case, figures), "each": figures["cpu"] / figures["calls"]})


def _figures(row: Row, case: Case, place: dict[str, str], grounds: Grounds, scale: Scale) -> Figures:
    order = {"contender": row.contender, "loop": row.loop, "case": asdict(case), "place": place}
    command = [sys.executable, "-m", "benchmarks.child", json.dumps({**order, "seconds": scale.seconds})]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, env=grounds.environment
    )
    if ended.returncode or not ended.stdout:
        raise ChildProcessError(_reason(ended.stderr) or f"it ended with {ended.returncode}")
    figures: Figures = json.loads(ended.stdout)
    return figures


def _reason(printed: str) -> str:
    """The last line of a traceback, without the output of an event loop after it."""
    lines = printed.splitlines()
    last = max((number for number, line in enumerate(lines) if line.startswith("  ")), default=-1)
    return next(iter(lines[last + 1 :]), "")


def _value(case: Case, figures: Figures) -> float:
    """The figure of a round in the unit of the case."""
    unit = case.unit
    if "value" in figures:
        return figures["value"] * unit.scale
    count = figures[unit.counts]
    return (figures["wall"] / count if unit.is_cost else count / figures["wall"]) * unit.scale


def _count_requests(rows: list[Row], case: Case, grounds: Grounds, scale: Scale) -> None:
    """Makes one more call to the server with a log of requests; its time is not measured."""
    counted: dict[str, int] = {}
    once = replace(case, measure="first")
    for row in rows:
        if row.failure is None and row.contender not in counted:
            grounds.server.requests.write_text("")
            _figures(row, once, grounds.place(case, is_counting=True), grounds, scale)
            counted[row.contender] = len(grounds.server.requests.read_text().splitlines())
        row.requests = counted.get(row.contender)


def as_json(facts: dict[str, Any], results: list[Result]) -> str:
    """All figures of all rounds, a line for each case."""
    lines = ",\n".join(
        json.dumps({"case": asdict(result.case), "rows": [asdict(row) for row in result.rows]}) for result in results
    )
    return f'{{"facts": {json.dumps(facts)},\n"results": [\n{lines}\n]}}\n'
