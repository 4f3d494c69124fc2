"""Draws the picture of the README from the figures of a run: a few cases, a bar for each library.

    python -m benchmarks.overview docs/performance/results.json docs/performance/overview.svg

The cases are chosen for what people do most, not for who wins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

CASES: Final = {
    "GET 4 KiB, 32 at once": "S3: read 4 KiB, 32 at once",
    "PUT 4 KiB, 32 at once": "S3: write 4 KiB, 32 at once",
    "eight streams at once, an eighth each": "S3: stream 1 GiB over 8 connections",
    "parts of 8 MiB, 4 at once": "S3: upload in parts of 8 MiB, 4 at once",
    "100,000 keys": "S3: list 100,000 keys",
    "read 4 KiB files, 32 at once": "Files: read 4 KiB, 32 at once",
}
"""The name of a case in the figures, and its title."""

LIBRARIES: Final = ("entrepot", "obstore", "opendal", "aiobotocore", "boto3", "s3fs", "aiofiles")
OURS: Final = "#1b6ca8"
OTHERS: Final = "#b8bec6"
LOOPS: Final = ("asyncio", "none")


def bars(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each library that was measured, on the default loop or on none, in the order of LIBRARIES."""
    values = {
        row["contender"]: median(part["value"] for part in row["rounds"])
        for row in rows
        if row["rounds"] and row["loop"] in LOOPS
    }
    return {name: values[name] for name in LIBRARIES if name in values}


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Writes the picture: a panel for each case, where a longer bar is better."""
    from matplotlib.figure import Figure

    by_name = {result["case"]["name"]: result for result in results}
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(2, 3).flat, CASES.items(), strict=True):
        _panel(axes, title, bars(by_name[name]["rows"]), by_name[name]["case"]["unit"]["name"])
    figure.savefig(path, metadata={"Date": None})


def _panel(axes: Any, title: str, values: dict[str, float], unit: str) -> None:
    colours = [OURS if name == "entrepot" else OTHERS for name in values]
    drawn = axes.barh(list(values), list(values.values()), color=colours)
    axes.bar_label(drawn, [f"{value:,.0f}" for value in values.values()], padding=2, fontsize=7)
    axes.set_title(f"{title}\n{unit}", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.tick_params(labelsize=7)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def main() -> None:
    """Reads the figures and writes the picture."""
    figures, picture = map(Path, sys.argv[1:])
    draw(json.loads(figures.read_text())["results"], picture)


if __name__ == "__main__":
    main()
