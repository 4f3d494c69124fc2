"""Decides where a blocking call runs: in the calling thread, or on the background event loop.

Over a network, a call with a single request is fastest without an event loop, on a blocking socket. A call with several
requests is faster on the loop, where they overlap. `INLINE` decides between the two, by the call and its arguments; a
call that it does not name runs on the loop. An operator that needs no loop at all, or one that needs it for every call
(`Stack.works_without_loop`), has one side, and nothing to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from entrepot.facade.buffers import Bytes
from entrepot.facade.operator import Operator
from entrepot.raw.runtime import Runner

ONE_PIECE: Final = 8 * 1024 * 1024
"""Bytes of content below which a write is one request. Longer content is sent in parts, several at a time."""

_BYTES_OF_CHARACTER: Final = 4
"""The most that a character has in UTF-8 and UTF-32."""


def always(options: Mapping[str, Any], content: object) -> bool:
    """For a call that is one request at a time, whatever its arguments are. `list` requests one page after another."""
    return True


def _is_one_response(options: Mapping[str, Any], content: object) -> bool:
    """Whether a read is one request at a time: with `chunk`, several are in flight."""
    return options.get("chunk") is None


def _is_one_piece(options: Mapping[str, Any], content: object) -> bool:
    """Whether a write is one request: its content is short and known."""
    return options.get("chunk") is None and isinstance(content, Bytes) and len(content) < ONE_PIECE


def _is_short_text(options: Mapping[str, Any], content: object) -> bool:
    is_short = isinstance(content, str) and len(content) * _BYTES_OF_CHARACTER < ONE_PIECE
    return is_short and options.get("chunk") is None


def _is_one_object(options: Mapping[str, Any], content: object) -> bool:
    """Whether a deletion is of one object: a recursive one sends batches."""
    return not options.get("recursive")


INLINE: Final[Mapping[str, Callable[[Mapping[str, Any], object], bool]]] = {
    "check": always,
    "create_dir": always,
    "delete": _is_one_object,
    "exists": always,
    "get_tags": always,
    "list": always,
    "open to read": _is_one_response,
    "presign_delete": always,
    "presign_part": always,
    "presign_post": always,
    "presign_read": always,
    "presign_stat": always,
    "presign_write": always,
    "read": _is_one_response,
    "read_text": _is_one_response,
    "read_with_metadata": _is_one_response,
    "reader": _is_one_response,
    "set_tags": always,
    "stat": always,
    "write": _is_one_piece,
    "write_text": _is_short_text,
}
"""The calls that may run in the calling thread, and by which arguments each does."""


class Side:
    """One way to run calls: an operator on a runtime, and the runner of its coroutines.

    Arguments:
        operator: the operator.
        runner: runs its coroutines.
    """

    __slots__ = ("operator", "run", "runner")

    def __init__(self, operator: Operator, runner: Runner) -> None:
        self.operator = operator
        self.runner = runner
        self.run = runner.run
