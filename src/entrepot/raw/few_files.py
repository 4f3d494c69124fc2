"""Too many open files: how an error says so, and how the code that opens one learns of it.

A process may open a number of files (`ulimit -n`), and the system another one; sockets count as well. What fails there
succeeds once another file is closed. So pools of connections wait for one of their own, and where there is none the
error is temporary, keeps the number of the system (`EMFILE`, `ENFILE`), and says how many there may be.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from entrepot.errors import Error, Unexpected

_LIMITS: Final = frozenset({errno.EMFILE, errno.ENFILE})


def is_of_too_many_files(error: BaseException) -> bool:
    """Whether a call failed because another file must be closed first."""
    return isinstance(error, OSError) and error.errno in _LIMITS


def cause_of_too_many_files(error: BaseException | None) -> OSError | None:
    """The error of the system among the causes of an error of a library.

    An `Error` among them is of an earlier call.
    """
    while error is not None and not isinstance(error, Error):
        if isinstance(error, OSError) and error.errno in _LIMITS:
            return error
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return None


def with_file_limit(error: Error, cause: BaseException | None) -> Error:
    """Returns an error, or if there were too many open files a temporary one, with the number of the system and a hint.

    So a file that cannot be read for this reason leaves no permanent error, such as of the configuration that names it.

    Arguments:
        error: the error of ours.
        cause: what it is raised for.
    """
    number = (cause_of_too_many_files(cause) or OSError()).errno
    if number is None:
        return error
    if not (error.is_temporary and isinstance(error, OSError)):
        error = Unexpected(error.message, scheme=error.scheme, operation=error.operation, is_temporary=True)
    assert isinstance(error, OSError)
    error.errno = number
    error.context["hint"] = _hint(number)
    return error


def _hint(number: int) -> str:
    if number == errno.ENFILE:
        return "close files and readers of this or another program: the system can open no more"
    limit = f" than {os.sysconf('SC_OPEN_MAX')}" if hasattr(os, "sysconf") else ""
    return f"close files and readers, or let the process open more{limit} (ulimit -n)"
