"""A hook of MkDocs: gives wide tables what the style sheet needs to show their rows as blocks on a phone.

A table of a configuration gets `data-form="keys"`, and one with long texts in three or more columns `data-form="rows"`.
Each of their cells gets the title of its column as `data-label`. Other tables, such as those of figures, scroll.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Final

KEYS: Final = ["Key", "Type", "Default", "Meaning"]
NARROW: Final = 2
"""The columns that fit on a phone."""

WIDEST: Final = 14
"""The most columns of a table that is read by rows: the one of services. Wider ones are of figures."""

LONG: Final = 40
"""The characters of a text that a narrow column would break too often."""

_TABLE: Final = re.compile(r"<table>.*?</table>", re.DOTALL)
_TITLE: Final = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW: Final = re.compile(r"<tr>\s*<td.*?</tr>", re.DOTALL)
_CELL: Final = re.compile(r"<td\b([^>]*)>(.*?)</td>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")


def on_page_content(html: str, **_: Any) -> str:
    """Called by MkDocs with the content of each page."""
    return _TABLE.sub(lambda table: labelled(table[0]), html)


def labelled(table: str) -> str:
    """The table with its form and labels, or as it was if it needs none."""
    titles = [_text(title) for title in _TITLE.findall(table)]
    longest = max((len(_text(cell)) for _, cell in _CELL.findall(table)), default=0)
    if titles != KEYS and not (NARROW < len(titles) <= WIDEST and longest > LONG):
        return table
    form = "keys" if titles == KEYS else "rows"
    return _ROW.sub(lambda row: _labelled_row(row[0], titles), table).replace(
        "<table>", f'<table data-form="{form}">', 1
    )


def _labelled_row(row: str, titles: list[str]) -> str:
    column = count()
    return _CELL.sub(lambda cell: f'<td{cell[1]} data-label="{titles[next(column)]}">{cell[2]}</td>', row)


def _text(html: str) -> str:
    """The text of an element, for an attribute."""
    return _TAG.sub("", html).strip().replace('"', "&quot;")
