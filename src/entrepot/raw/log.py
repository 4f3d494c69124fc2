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
    logging = sys.modules.get("logging")
    if logging is None:
        if level < WARNING:
            return
        import logging
    logger = _logger(logging)
    if logger.isEnabledFor(level):
        logger.log(level, message, *values, stacklevel=2)


@cache
def _logger(logging: Any) -> Any:
    """Returns the logger, cached: a look-up takes a lock and as long as the rest of a call."""
    return logging.getLogger("entrepot")
