"""The standard input, as it arrives."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import AsyncGenerator
from typing import Final

from .patient_thread import PatientThread

BLOCK: Final = 1024 * 1024
"""The most bytes of one read."""


async def blocks_of_input() -> AsyncGenerator[bytes, None]:
    """Yields the standard input as it arrives.

    Raises:
        OSError: the command was started without one.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "the standard input is closed")
    thread, descriptor = PatientThread(), sys.stdin.fileno()
    while block := await thread.call(os.read, descriptor, BLOCK):
        yield block
