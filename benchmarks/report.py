"""The figures as Markdown: medians, spreads, ratios, and aims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .rounds import Result, Row
from .workloads import LIMIT, MIB, OURS, TITLES, Aim, Case


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an aim was met on one event loop.

    Arguments:
        case: the case.
        loop: the event loop.
        aim: the aim.
        rival: the best of the contenders in the comparison; None for an absolute figure.
        found: the ratio to the rival, or the figure.
    """

    case: Case
    loop: str
    aim: Aim
    rival: str | None
    found: float

    @property
    def is_met(self) -> bool:
        return self.found <= self.aim.factor if _is_cost(self.case, self.aim) else self.found >= self.aim.factor


def verdicts_of(result: Result) -> Iterator[Verdict]:
    """The result for each aim of a case, on each loop of the measurement."""
    for loop in dict.fromkeys(row.loop for row in result.rows):
        ours = result.row(OURS, loop)
        for aim in result.case.aims if ours else ():
            assert ours is not None
            figure = _figure(aim)
            if not aim.of:
                yield Verdict(result.case, loop, aim, None, ours.median(figure))
            elif (best := _best(result, loop, aim)) is not None:
                yield Verdict(result.case, loop, aim, best.contender, ours.median(figure) / best.median(figure))


def _best(result: Result, loop: str, aim: Aim) -> Row | None:
    rows = [row for name in aim.of if (row := result.row(name, loop)) is not None]
    choose = min if _is_cost(result.case, aim) else max
    return choose(rows, key=lambda row: row.median(_figure(aim)), default=None)


def _figure(aim: Aim) -> str:
    return "each" if aim.figure == "cpu" else aim.figure


def _is_cost(case: Case, aim: Aim) -> bool:
    return aim.figure != "value" or case.unit.is_cost


def verdicts(results: Iterable[Result]) -> str:
    """All aims, a line each."""
    return "\n".join(_verdict_line(verdict) for result in results for verdict in verdicts_of(result))


def _verdict_line(verdict: Verdict) -> str:
    word = "reached" if verdict.is_met else "short  "
    return f"{word}  {verdict.case.workload:2} {verdict.case.name} ({verdict.loop}): {_described(verdict)}"


def _described(verdict: Verdict) -> str:
    what = {"value": "", "cpu": " in CPU time", "peak": " in memory"}[verdict.aim.figure]
    bound = "at most" if _is_cost(verdict.case, verdict.aim) else "at least"
    if verdict.rival is None:
        return f"{_number(verdict.found)} {verdict.case.unit.name}, {bound} {verdict.aim.factor:g}"
    return f"{verdict.found:.2f} x {verdict.rival}{what}, {bound} {verdict.aim.factor:g}"


def failures(results: Iterable[Result]) -> str:
    """Failures of entrepot, a line each. Failures of other contenders are in their tables."""
    return "\n".join(
        f"FAILED  {result.case.workload:2} {result.case.name} ({row.loop}): {row.failure}"
        for result in results
        for row in result.rows
        if row.contender == OURS and row.failure is not None
    )


def tables(facts: dict[str, Any], results: list[Result]) -> str:
    """The whole report."""
    parts = [_heading(facts), _summary(results)]
    for number, group in groupby(results, key=lambda result: result.case.workload):
        parts.append(f"## {number}. {TITLES[number]}\n")
        parts.extend(_table(result) for result in group)
    return "\n".join(parts)


def _heading(facts: dict[str, Any]) -> str:
    server = facts["server"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        "# Figures\n\nMade by `make bench`, not by hand. "
        f"{facts['cores']} cores, {facts['system']}, {facts['python']}, load {facts['load']} at the end, "
        f"{facts['minutes']} minutes, scale: {facts['scale']}, rounds: {facts['rounds']}.\n\n{versions}.\n\n"
        f"The server alone: {server['requests_per_second']:,} GETs of 4 KiB a second; on one connection it sends "
        f"{server['gives_mb_per_second']:,} MB/s and receives {server['takes_mb_per_second']:,} MB/s.\n\n"
        "Medians of the rounds, with minimum and maximum. CPU is the time of the whole process for each call, "
        "memory the peak above the level before. A ratio above 1 means that entrepot is "
        f"better. `{LIMIT}` is the minimum: raw system calls, or a protocol that only counts.\n"
    )


def _summary(results: list[Result]) -> str:
    rows = [
        f"| {verdict.case.workload} | {verdict.case.name} | {verdict.loop} "
        f"| {_described(verdict)} | {'yes' if verdict.is_met else 'no'} |"
        for result in results
        for verdict in verdicts_of(result)
    ]
    return "\n".join(("## Aims\n", "| # | Case | Loop | Found | Reached |", "|---|---|---|---|---|", *rows, ""))


def _table(result: Result) -> str:
    case = result.case
    counted = case.counts_requests
    head = f"| Contender | Loop | {case.unit.name} | Spread | CPU | Memory | Ratio |{' Requests |' if counted else ''}"
    lines = [_line(result, row) + (f" {row.requests:,} |" if counted and row.requests else "") for row in result.rows]
    return "\n".join((f"### {case.name}\n", head, "|---" * (8 if counted else 7) + "|", *lines, ""))


def _line(result: Result, row: Row) -> str:
    if not row.rounds:
        return f"| {row.contender} | {row.loop} | failed: {row.failure} | | | | |"
    least, most = row.spread("value")
    figures = (
        _number(row.median("value")),
        f"{_number(least)} to {_number(most)}",
        f"{_number(row.median('each') * 1e6)} us",
        f"{row.median('peak') / MIB:.1f} MiB",
        _ratio(result, row),
    )
    return f"| {row.contender} | {row.loop} | {' | '.join(figures)} |"


def _ratio(result: Result, row: Row) -> str:
    ours, theirs = result.row(OURS, row.loop), row.median("value")
    if ours is None or not theirs or not ours.median("value"):
        return ""
    ratio = ours.median("value") / theirs
    return f"{1 / ratio if result.case.unit.is_cost else ratio:.2f}"


def _number(value: float) -> str:
    """Three significant digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
