"""Whether a file is closed because of an error.

Many programs close a file in `__exit__` without a word of the error: `fsspec.open`, pandas, the text files and buffers
of `io`, the writers of pyarrow. A file that publishes when it is closed has to know, or half of a content would be
published.

Theory of operation. A `with` statement whose block fails calls `__exit__` with the error. Where that is a Python
function, its frame has the error as an argument. Where it is compiled, the frame of the `with` statement stands at the
instruction that makes this call. The innermost of the two decides, so a block that succeeds while an outer one is left
publishes. So does a file that was opened when the error was being handled already: it is about the error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dis import opmap
from types import FrameType
from typing import Final

_EXIT_METHODS: Final = frozenset({"__exit__", "__aexit__"})
_CALL_OF_EXIT: Final = opmap.get("WITH_EXCEPT_START")
_DEPTH: Final = 8


class Leaving:
    """Made where a file is opened, and asked where it is closed."""

    __slots__ = ("_handled",)

    def __init__(self) -> None:
        self._handled = sys.exc_info()[1]

    def is_with_error(self) -> bool:
        """Whether the caller runs in a context manager that is left because of an error.

        A close in an `except` block is not that: the program has handled the error, and wants the file.
        """
        if sys.exc_info()[1] is None:
            return False
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - `inspect` would read source files
        for _ in range(_DEPTH):
            if frame is None:
                return False
            if frame.f_code.co_name in _EXIT_METHODS:
                return self._is_new(_error_among(_arguments(frame)))
            if frame.f_code.co_code[frame.f_lasti] == _CALL_OF_EXIT:
                return self._is_new(sys.exc_info()[1])
            frame = frame.f_back
        return False

    def _is_new(self, error: object) -> bool:
        handled = self._handled
        while handled is not None and handled is not error:
            handled = handled.__context__
        return error is not None and handled is None


def _arguments(frame: FrameType) -> Iterator[object]:
    """The arguments of a call, of which `*args` are one."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + 1
    return (frame.f_locals.get(name) for name in code.co_varnames[:count])


def _error_among(arguments: Iterator[object]) -> BaseException | None:
    for argument in arguments:
        for value in argument if isinstance(argument, tuple) else (argument,):
            if isinstance(value, BaseException):
                return value
    return None
