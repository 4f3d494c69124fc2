"""Messages to the logger `entrepot`, without importing `logging` for a program that does not."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30


def log(level: int, message: str, *values: object) -> None:
    """Logs a message. Below WARNING it does nothing in a program that never imported `logging`, which has no handler.

    Arguments:
        level: one of the levels above, which equal those of `logging`.
        message: a format string, as for `logging`.
        values: its arguments. They must not hold a secret.
    """
    if level >= WARNING or "logging" in sys.modules:
        logger().log(level, message, *values, stacklevel=2)


def log_left_out(message: str, *values: object) -> None:
    """Logs, as a warning of the logger `entrepot.listing`, what a listing leaves out. Its `left_out` says so as well.

    The name of its own is for programs that report what `left_out` says: they turn the warnings off.

    Arguments:
        message: a format string, as for `logging`.
        values: its arguments.
    """
    logger().getChild("listing").warning(message, *values, stacklevel=2)


@cache
def logger() -> Any:
    """Returns the logger, cached: a look-up takes a lock and as long as the rest of a call."""
    import logging

    return logging.getLogger("entrepot")
