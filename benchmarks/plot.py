"""The figures as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .rounds import Result
from .workloads import LIMIT, OURS

COLOURS: Final = {
    OURS: "#111111",
    "obstore": "#d95f02",
    "opendal": "#7570b3",
    "aiohttp": "#1b9e77",
    "plain": "#1b9e77",
    "aiofiles": "#66a61e",
    LIMIT: "#bbbbbb",
}
OTHERS: Final = "#e7a5c5"
MARKERS: Final = {"asyncio": "o", "uvloop": "^", "none": "s"}


def compared(results: list[Result], path: Path) -> None:
    """Each contender beside entrepot, case by case: right of the line is better than entrepot, left of it worse."""
    shown = [(result, loop) for result in results for loop in _loops(result) if _is_compared(result, loop)]
    figure, axes = _figure(9, 0.24 * len(shown) + 1.5)
    for height, (result, loop) in enumerate(reversed(shown)):
        _dots(axes, height, result, loop)
    axes.axvline(1, color=COLOURS[OURS], linewidth=1)
    labels = [f"{result.case.workload}  {result.case.name}, {loop}" for result, loop in reversed(shown)]
    axes.set_yticks(range(len(shown)), labels, fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("how many times as good as entrepot")
    _legend(axes, [name for name in COLOURS if name != OURS])
    _save(figure, path)


def _loops(result: Result) -> list[str]:
    return list(dict.fromkeys(row.loop for row in result.rows))


def _is_compared(result: Result, loop: str) -> bool:
    ours = result.row(OURS, loop)
    return ours is not None and bool(ours.median("value")) and len(result.rows) > 1


def _dots(axes: Any, height: int, result: Result, loop: str) -> None:
    ours = result.row(OURS, loop)
    assert ours is not None
    for row in result.rows:
        if row.loop == loop and row is not ours and row.rounds and row.median("value"):
            ratio = row.median("value") / ours.median("value")
            better = 1 / ratio if result.case.unit.is_cost else ratio
            colour = COLOURS.get(row.contender, OTHERS)
            axes.plot(better, height, MARKERS[loop], color=colour, markersize=5)


def growth(results: list[Result], path: Path) -> None:
    """Time and memory of each operation against size, keys or concurrency."""
    lines: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for result in results:
        what, _, amount = result.case.name.rpartition(": ")
        operation, _, variable = what.rpartition(", ")
        row = result.row(OURS, "asyncio")
        if result.case.only == (OURS,) and row is not None:
            point = (float(amount), row.median("value"), row.median("peak") / 2**20)
            lines.setdefault(variable, {}).setdefault(f"{operation} ({result.case.unit.name})", []).append(point)
    if lines:
        _save(_drawn(lines), path)


def _drawn(lines: dict[str, dict[str, list[tuple[float, float, float]]]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(lines), 5.6), layout="constrained")
    panels = figure.subplots(2, len(lines), squeeze=False)
    for column, (variable, operations) in enumerate(lines.items()):
        for operation, points in operations.items():
            amounts, times, peaks = zip(*sorted(points), strict=True)
            panels[0][column].plot(amounts, times, "o-", label=operation, markersize=3)
            panels[1][column].plot(amounts, peaks, "o-", label=operation, markersize=3)
        for row, axis in enumerate(("time", "peak of memory, MiB")):
            panels[row][column].set(xscale="log", xlabel=variable, ylabel=axis)
        panels[0][column].set_yscale("log")
        panels[0][column].legend(fontsize=7)
    return figure


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(axis="x", linewidth=0.3)
    return figure, axes


def _legend(axes: Any, names: list[str]) -> None:
    for name in names:
        axes.plot([], [], "o", color=COLOURS[name], label=name)
    axes.plot([], [], "o", color=OTHERS, label="botocore and others")
    for loop, marker in MARKERS.items():
        axes.plot([], [], marker, color="#888888", fillstyle="none", label=f"loop: {loop}")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))


def _save(figure: Any, path: Path) -> None:
    """Saves without the date, so that the same figures make the same file."""
    figure.savefig(path, metadata={"Date": None})
