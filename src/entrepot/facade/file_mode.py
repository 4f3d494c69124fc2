"""The mode and the text settings of a file object, checked as `open` of the standard library checks them."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from entrepot.errors import AlreadyExists, InvalidInput, NotFound, Unsupported
from entrepot.raw.oio.read.api import WHOLE

from .options import Path, shown_path

if TYPE_CHECKING:
    from dataclasses import dataclass

    from .operator import Operator
    from .reader import Reader
    from .writer import Writer
else:
    from entrepot.types.records import dataclass

ENCODING: Final = "utf-8"
"""The default encoding: an object is not of one machine, so the locale of the machine does not decide."""

_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "r": {"read_ahead": WHOLE},
    "w": {},
    "a": {"append": True},
    "x": {"if_not_exists": True},
}
_ENDIAN: Final = "le" if sys.byteorder == "little" else "be"
_WITHOUT_MARK: Final = {"utf-8-sig": "utf-8", "utf-16": f"utf-16-{_ENDIAN}", "utf-32": f"utf-32-{_ENDIAN}"}
_LONGEST_SHOWN: Final = 4
_NEWLINES: Final = {None, "", "\n", "\r", "\r\n"}


@dataclass(frozen=True, slots=True)
class FileMode:
    """How a file is opened.

    Arguments:
        action: `"r"`, `"w"`, `"a"` (append) or `"x"` (write a new object).
        is_text: whether it reads or writes `str`.
        buffering: the size of the buffer in bytes; negative for the default, 0 for none, 1 for lines.
        encoding: the encoding of a text file.
        errors: how a text file handles bytes or characters that it cannot convert.
        newline: how a text file translates ends of lines.
    """

    action: Literal["r", "w", "a", "x"]
    is_text: bool
    buffering: int
    encoding: str
    errors: str
    newline: str | None

    @property
    def is_reading(self) -> bool:
        """Whether the file reads."""
        return self.action == "r"

    @property
    def name(self) -> str:
        """The mode as files have it: `"rb"`, or `"r"` for text."""
        return self.action if self.is_text else f"{self.action}b"

    @property
    def encoding_written(self) -> str:
        """The encoding in which the file writes: one without a byte order mark if it appends to a text."""
        return (
            _WITHOUT_MARK.get(codecs.lookup(self.encoding).name, self.encoding) if self.action == "a" else self.encoding
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of the reader or writer that the file needs. Files are read at random more often than readers."""
        return _OPTIONS[self.action]


def file_mode(
    mode: str, buffering: int = -1, encoding: str | None = None, errors: str | None = None, newline: str | None = None
) -> FileMode:
    """Checks the arguments of `open`.

    Raises:
        TypeError: an argument has the wrong type.
        InvalidInput: the mode is unknown, or the arguments contradict each other.
        Unsupported: the mode reads and writes.
        LookupError: the encoding or the error handler is unknown.
    """
    _check_types(mode, buffering, encoding, errors, newline)
    letters, action = set(mode), [letter for letter in mode if letter in "rwax"]
    if letters - set("rwaxbt+") or len(letters) != len(mode):
        raise InvalidInput(f"invalid mode: {_shown(mode)}")
    if letters >= {"b", "t"}:
        raise InvalidInput("a file has either text or binary mode")
    if len(action) != 1:
        raise InvalidInput("a file has exactly one of the modes 'r', 'w', 'a' and 'x'")
    if "+" in letters:
        raise Unsupported("an object is either read or written, so that no file has a mode with '+'")
    is_text = "b" not in letters
    if is_text:
        _check_text(buffering, encoding or ENCODING, errors or "strict", newline)
    else:
        _check_binary(encoding=encoding, errors=errors, newline=newline)
    chosen: Any = action[0]
    return FileMode(chosen, is_text, buffering, encoding or ENCODING, errors or "strict", newline)


def _check_types(mode: object, buffering: object, *text_settings: object) -> None:
    if not isinstance(mode, str):
        raise TypeError(f"the mode is a str, not {type(mode).__name__}")
    if not isinstance(buffering, int):
        raise TypeError(f"the size of the buffer is an int, not {type(buffering).__name__}")
    for name, value in zip(("encoding", "errors", "newline"), text_settings, strict=True):
        if not isinstance(value, str | None):
            raise TypeError(f"{name} is a str or None, not {type(value).__name__}")


def _check_text(buffering: int, encoding: str, errors: str, newline: str | None) -> None:
    if buffering == 0:
        raise InvalidInput("a text file needs a buffer")
    if newline not in _NEWLINES:
        raise InvalidInput(f"invalid newline: {_shown(newline)}")
    "".encode(encoding)  # for the LookupError, also of a codec that is not for text
    codecs.lookup_error(errors)


def _shown(text: str | None) -> str:
    """A mode or newline as messages show it. A longer text may be something else, such as a secret."""
    return repr(text) if text is None or len(text) <= _LONGEST_SHOWN else f"text of {len(text)} characters"


def _check_binary(**text_settings: str | None) -> None:
    for name, value in text_settings.items():
        if value is not None:
            raise InvalidInput(f"a binary file has no {name}")


async def open_for(operator: Operator, path: Path, mode: FileMode, options: Mapping[str, Any]) -> Reader | Writer:
    """Opens the reader or writer of a file.

    Raises:
        AlreadyExists: the mode is `"x"`, and the object exists.
    """
    if mode.is_reading:
        return await operator.reader(path, **{**mode.options, **options})
    writer = await operator.writer(path, **options, **mode.options)
    if mode.action == "x" and await operator.exists(path):
        raise already_exists().of_call("open", scheme=operator.info.scheme, path=shown_path(path))
    return writer


async def start_of(operator: Operator, path: Path, mode: FileMode) -> int:
    """The position of a file that is opened: the end of the object if it appends.

    Programs decide by it whether to write a header first.
    """
    if mode.action != "a":
        return 0
    try:
        metadata = await operator.stat(path)
    except NotFound:
        return 0
    return metadata.content_length or 0


def already_exists() -> AlreadyExists:
    """The error of a file that is opened to write a new object."""
    return AlreadyExists("the object exists already")
