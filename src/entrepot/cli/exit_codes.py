"""The exit codes of the command, and the line on the standard error for each error."""

from __future__ import annotations

import re
import sys
from typing import Final

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    DeletionsFailed,
    Error,
    InvalidInput,
    NotADirectory,
    NotFound,
    PermissionDenied,
    TransfersFailed,
    Unexpected,
    Unsupported,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
DENIED: Final = 4
TEMPORARY: Final = 5
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

_FOLLOWING: Final = frozenset({"cp", "sync"})
"""Verbs that read what symbolic links lead to, and have an option to follow them wherever they lead."""

_EXCLUDING: Final = _FOLLOWING | {"mv"}
"""Verbs that copy trees, and have an option to leave files out."""

_SPECIAL_FILE: Final = re.compile("only regular files|names a FIFO")
_NOT_TEXT: Final = re.compile("lone surrogates|cannot be in a path")
"""What messages say of files that are not regular, and of names that are not text."""

_NEXT_STEPS: Final[dict[type[Error], str]] = {
    PermissionDenied: "check the credentials: -o key=value, the environment, or --profile",
    ConfigInvalid: "set a value with -o key=value, or in the configuration file",
    Unsupported: "`entrepot info` shows what a storage can do",
}


def code_of(error: BaseException) -> int:
    """The exit code for an error."""
    if isinstance(error, TransfersFailed | DeletionsFailed):
        return _common(code_of(failure) for failure in error.failures)
    if isinstance(error, NotFound | NotADirectory):
        return NOT_FOUND
    if isinstance(error, PermissionDenied | PermissionError):
        return DENIED
    if isinstance(error, ConfigInvalid | InvalidInput):
        return USAGE
    if isinstance(error, Error) and error.is_temporary:
        return TEMPORARY
    return NOT_FOUND if isinstance(error, FileNotFoundError) else FAILED


def worst(first: int, second: int) -> int:
    """The exit code of a command that failed in two ways: the code of both if it is one, otherwise `FAILED`."""
    if DONE in (first, second):
        return first or second
    return first if first == second else FAILED


def line_of(verb: str, place: str, error: BaseException, *, joined: bool = False) -> str:
    """The error as one line, with the next step where there is one. It never has a secret or a line break.

    Arguments:
        verb: the name of the command.
        place: the place, as the user wrote it.
        error: the error.
        joined: whether the user wrote several slashes in a row, which are one.
    """
    step = error.context.get("hint") if isinstance(error, Error) else None
    if joined and isinstance(error, NotFound):
        step = "several slashes in a row are one: a key with // in it cannot be named"
    message = message_of(error)
    if isinstance(error, Unexpected) and _has_dots(error.path):
        message = f"the storage refuses the key {error.path}"
        step = "in a key . and .. are names, which many stores refuse: write the key that you mean"
    if step is None and not _says_what_to_do(error):
        step = next((text for kind, text in _NEXT_STEPS.items() if isinstance(error, kind)), None)
    if isinstance(error, PermissionDenied) and error.scheme == "fs":
        step = _step_of_file(verb, error)  # files have no credentials
    if _is_special(error):
        step = "--exclude leaves it out of a tree" if verb in _EXCLUDING else None  # no storage can do it
    if _is_of_encoding(error):
        step = "use a UTF-8 locale or PYTHONUTF8=1"
    if step is None and code_of(error) == TEMPORARY:
        step = "try again"
    where = f"{place}: " if place else ""
    return one_line(f"entrepot: {verb}: {where}{message}{f' ({step})' if step else ''}")


def is_missing_package(error: ConfigInvalid) -> bool:
    """Whether a service needs a package that is not installed; the message says which."""
    return isinstance(error.__cause__, ImportError)


def _says_what_to_do(error: BaseException) -> bool:
    """Whether no value of a storage would help: its scheme or its package is missing, or a file is not valid."""
    return isinstance(error, ConfigInvalid) and (error.scheme is None or is_missing_package(error))


def _step_of_file(verb: str, error: PermissionDenied) -> str | None:
    leads_out = "symbolic link leads out" in error.message  # others, such as one to itself, cannot be followed
    return "--follow-symlinks follows it" if leads_out and verb in _FOLLOWING else None


def _is_special(error: BaseException) -> bool:
    """Whether a file is not a regular one, which no storage can copy."""
    return isinstance(error, Unsupported) and _SPECIAL_FILE.search(error.message) is not None


def _is_of_encoding(error: BaseException) -> bool:
    """Whether a name may be refused only because this process takes names for text in another encoding than UTF-8."""
    is_of_name = isinstance(error, Error) and _NOT_TEXT.search(error.message) is not None
    return is_of_name and sys.getfilesystemencoding() != "utf-8"


def _has_dots(path: str | None) -> bool:
    return path is not None and not {".", ".."}.isdisjoint(path.split("/"))


_OF_CHANGES: Final = ("if_match", "the object changed during the read")
"""How the library says that an object was changed: no verb has the condition as an option."""


def message_of(error: BaseException) -> str:
    """The sentence of an error."""
    if isinstance(error, ConditionNotMatch) and error.message.startswith(_OF_CHANGES):
        return "it was changed meanwhile"
    if isinstance(error, Error):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {error}"


def one_line(text: str) -> str:
    """The text with its control characters escaped, so that it is one line and harmless on a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _common(codes: object) -> int:
    result = DONE
    for code in codes:  # type: ignore[attr-defined]
        result = worst(result, code)
    return result
