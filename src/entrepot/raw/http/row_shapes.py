"""Reads rows of XML whose tags are known, several times as fast as a parser with callbacks.

Theory of operation. A listing has many rows with the same elements in the same order: one *shape*. A row is split at
its angle brackets into texts and tags in turn; the tags are its shape. Each shape is given to an XML parser only once,
with the numbers of the texts in their place. So the result says which text is which value, for all rows of this shape.

The result must equal the parser's result. Therefore:

- The rows consist of tags, and of texts without `&`, `<` and `>`, of printable ASCII, tabs and line feeds. Such a text
  is its own value, wherever it is. (The brackets open and close in turn, so none of them is in a text.)
- Only the parser decides what a shape means: a row that is not well-formed has no other result here.
- Texts that decide what a row means, where they are, and what is around the row, are part of its shape.
- Anything else, and content with many shapes, is left to the parser.
"""

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NO_TEXT: Final = -1
"""The index of an empty text at the end of those of each row: of an element without a text of its own (`<a/>`)."""

_PLAIN: Final = bytes({*range(0x20, 0x7F), 0x09, 0x0A} - {ord("&")})
_BRACKETS: Final = bytes({*range(0x100)} - {ord("<"), ord(">")})
_TAG: Final = r'(?:/?[A-Za-z][A-Za-z0-9_:.-]*(?: [A-Za-z][A-Za-z0-9_:.-]*="[^"<>&]*")*(?: ?/)?)'
_TAGS: Final = re.compile(rf"{_TAG}(?:<{_TAG})*")
_MOST_SHAPES: Final = 32

_MARK: Final = "\0"
"""Ends each tag before a deciding text, while it is looked up. No plain text has it."""


def plain_text(block: bytes) -> str | None:
    """The text of rows; None if it has anything but tags and plain texts."""
    brackets = block.translate(None, _BRACKETS)
    if block.translate(None, _PLAIN) or brackets != b"<>" * (len(brackets) // 2):
        return None
    return block.decode("ascii")


class RowShapes(Generic[T]):
    """What rows mean, by their shapes.

    Arguments:
        understand: parses a row that has numbers as its texts. Returns what it means; None if the parser must read
            such rows.
        deciding: the start of the texts that decide what a row means; empty if none do.
    """

    __slots__ = ("_deciding", "_decisions", "_known", "_marked", "_understand")

    def __init__(self, understand: Callable[[str], T | None], deciding: str = "") -> None:
        self._understand = understand
        self._deciding = deciding
        self._marked = f"{_MARK}>{deciding}"
        self._decisions = re.compile(f">({re.escape(deciding)}[^<]*)<").findall if deciding else _nothing
        self._known: dict[tuple[str, ...], T] = {}

    def read(self, row: str) -> tuple[T, list[str]] | None:
        """What a row means, and its texts and tags: the texts are where the parsed numbers say.

        Arguments:
            row: one row of a `plain_text`, from its first tag to its last, or with blanks around it.

        Returns:
            None if the parser must read the row.
        """
        marked = row.replace(f">{self._deciding}", self._marked) if self._deciding else row
        pieces = marked.replace(">", "<").split("<")
        shape = ("<".join(pieces[1::2]), pieces[0], pieces[-1], *self._decisions(row))
        meaning = self._known.get(shape)
        if meaning is None:
            meaning = self._learned(shape, pieces)
            if meaning is None:
                return None
        pieces.append("")
        return meaning, pieces

    def _learned(self, shape: tuple[str, ...], pieces: list[str]) -> T | None:
        tags, before, after = shape[:3]
        is_plain = _TAGS.fullmatch(tags.replace(_MARK, "")) and not before.strip() and not after.strip()
        if not is_plain or len(self._known) >= _MOST_SHAPES:
            return None
        inner = [self._numbered(pieces, index) for index in range(1, len(pieces) - 1)]
        meaning = self._understand("".join(inner))
        if meaning is not None:
            self._known[shape] = meaning
        return meaning

    def _numbered(self, pieces: list[str], index: int) -> str:
        """A tag, or the number in the place of a text."""
        piece = pieces[index]
        if index % 2:
            return f"<{piece.removesuffix(_MARK)}>"
        is_deciding = self._deciding and piece.startswith(self._deciding)
        return piece if is_deciding else str(index)


def _nothing(_: str) -> tuple[str, ...]:
    return ()
