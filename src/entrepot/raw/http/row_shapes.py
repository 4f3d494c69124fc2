"""Reads rows of XML whose tags are known, several times as fast as a parser with callbacks.

Theory of operation. A listing has many rows with the same elements in the same order: one *shape*. A row is split at
its texts: what is between them is its shape. Each shape is given to an XML parser only once, with the numbers of the
texts in their place. So the result says which text is which value, for all rows of this shape.

The result must equal the parser's result. Therefore:

- The rows consist of tags, and of texts without `&`, `<` and `>`, of printable ASCII, tabs and line feeds. Such a text
  is its own value, wherever it is. (The tags have as many `<` as `>`. So if the numbers of both are equal, no text has
  a `>`.)
- Only the parser decides what a shape means: a row that is not well-formed has no other result here.
- Texts that decide what a row means are part of its shape.
- Anything else, and content with many shapes, is left to the parser.
"""

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

EMPTY_TEXT: Final = -1
"""The index of an empty text, which is added to those of each row: it is not between the tags."""

_PLAIN: Final = bytes({*range(0x20, 0x7F), 0x09, 0x0A} - {ord("&")})
_TEXT: Final = re.compile(">([^<]+)<")
_TAGS: Final = re.compile(r'\s*(?:</?[A-Za-z][A-Za-z0-9_:.-]*(?: [A-Za-z][A-Za-z0-9_:.-]*="[^"<>&]*")*(?: ?/)?>)*')
_MOST_SHAPES: Final = 32


def plain_text(block: bytes) -> str | None:
    """The text of rows; None if it has anything but plain tags and texts."""
    if block.translate(None, _PLAIN) or block.count(b"<") != block.count(b">"):
        return None
    return block.decode("ascii")


class RowShapes(Generic[T]):
    """What rows mean, by their shapes.

    Arguments:
        understand: parses a row that has numbers as its texts. Returns what it means; None if the parser must read
            such rows.
        deciding: the start of the texts that decide what a row means; empty if none do.
    """

    __slots__ = ("_deciding", "_decisions", "_known", "_understand")

    def __init__(self, understand: Callable[[str], T | None], deciding: str = "") -> None:
        self._understand = understand
        self._deciding = deciding
        self._decisions = re.compile(f">({re.escape(deciding)}[^<]*)<").findall if deciding else None
        self._known: dict[tuple[str, ...], T] = {}

    def read(self, row: str) -> tuple[T, list[str]] | None:
        """What a row means, and what it consists of: the texts are where the parsed numbers say.

        Arguments:
            row: one row of a `plain_text`, from its first tag to its last.

        Returns:
            None if the parser must read the row.
        """
        pieces = _TEXT.split(row)  # tags and texts in turn
        shape = ("\0".join(pieces[::2]), *(self._decisions(row) if self._decisions else ()))
        meaning = self._known.get(shape)
        if meaning is None:
            meaning = self._learned(shape, pieces)
            if meaning is None:
                return None
        pieces.append("")
        return meaning, pieces

    def _learned(self, shape: tuple[str, ...], pieces: list[str]) -> T | None:
        tags = pieces[::2]
        if len(self._known) >= _MOST_SHAPES or not _TAGS.fullmatch("><".join(tags)):
            return None
        numbered = "".join(f"{tag}>{self._numbered(pieces, 2 * number + 1)}<" for number, tag in enumerate(tags[:-1]))
        meaning = self._understand(numbered + tags[-1])
        if meaning is not None:
            self._known[shape] = meaning
        return meaning

    def _numbered(self, pieces: list[str], number: int) -> str:
        is_deciding = self._deciding and pieces[number].startswith(self._deciding)
        return pieces[number] if is_deciding else str(number)
