"""What the pages of this project hold, for the tests of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SOURCES = PROJECT / "src" / "entrepot"

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code, with the line that it starts on and the words behind its language."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        page = self.page.relative_to(PROJECT) if self.page.is_relative_to(PROJECT) else self.page
        return f"{page}:{self.line}"


def blocks(page: Path, language: str = "python") -> list[Block]:
    """The blocks of one language on a page, in order."""
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, match.start(3)) + 1, match[1], tuple(match[2].split()), match[3])
        for match in _BLOCK.finditer(text)
        if match[1] == language
    ]


def table(text: str, *columns: str) -> list[list[str]]:
    """The rows of the first table with these columns; none where there is no such table."""
    rows = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    return list(_rows_under(rows, list(columns)))


def _rows_under(rows: list[list[str]], columns: list[str]) -> Iterator[list[str]]:
    if columns in rows:
        for row in rows[rows.index(columns) + 2 :]:
            if len(row) != len(columns):
                return
            yield row


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
