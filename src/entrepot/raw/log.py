"""What is said under the logger `entrepot`."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30


def log(level: int, message: str, *values: object) -> None:
    """Logs a message. Below a warning, a program that never imported `logging` has nowhere to log to and is spared it.

    Arguments:
        level: one of the levels above, which are those of `logging`.
        message: with places for the values, as `logging` has them.
        values: what stands there. No secret is among them.
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
    """The logger of that name. It is remembered: looking it up takes a lock, as long as the rest of a call."""
    return logging.getLogger("entrepot")
