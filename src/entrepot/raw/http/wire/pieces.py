"""The content of a request, in the pieces that are handed to a connection."""

from collections.abc import Iterator, Sequence
from typing import Final

PIECE: Final = 256 * 1024
"""How many bytes are handed to a connection at a time. At most one piece is copied or buffered."""


def cut(content: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Cuts content into pieces of `PIECE` bytes. Only pieces that span several inputs are copied."""
    if len(content) == 1 and isinstance(content[0], bytes) and 0 < len(content[0]) <= PIECE:
        yield content[0]  # most uploads
        return
    gathered: list[memoryview] = []
    size = 0
    for part in content:
        view = memoryview(part).cast("B")
        while view:
            gathered.append(view[: PIECE - size])
            size, view = size + len(gathered[-1]), view[len(gathered[-1]) :]
            if size == PIECE:
                yield _joined(gathered)
                gathered, size = [], 0
    if gathered:
        yield _joined(gathered)


def _joined(views: list[memoryview]) -> bytes | memoryview:
    return views[0] if len(views) == 1 else b"".join(views)
