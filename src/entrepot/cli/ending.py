"""What Ctrl-C and other signals do to a running verb."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType, TracebackType
from typing import Final, Self

from .exit_codes import INTERRUPTED
from .output import warn

CODES: Final = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""The signals that end a verb in good order, and the exit code of each."""

GRACE: Final = 5.0
"""Seconds for which a verb goes on to clean up after a second signal."""


class Ending:
    """Ends a verb by signals: the first one cancels it, so that writes are given up and uploads are aborted.

    Many a user presses Ctrl-C twice. The second signal lets the cleanup go on for `GRACE` seconds, since parts of an
    upload that is not aborted cost money. The third one ends it at once, by KeyboardInterrupt. A signal that is
    ignored, as by `nohup`, stays ignored. Used as a context manager in the task that is cancelled.

    Arguments:
        verb: the name of the command, for messages.

    Attributes:
        signals: the signals that came, the first one first.
    """

    def __init__(self, verb: str) -> None:
        self.signals: list[int] = []
        self._verb = verb

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._loop = task, asyncio.get_running_loop()
        for number in CODES:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in CODES:
            if signal.getsignal(number) == self._note:
                signal.signal(number, signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signals.append(number)
        if len(self.signals) == 1:
            self._loop.call_soon_threadsafe(self._task.cancel)
        elif len(self.signals) == 2:
            self._loop.call_soon_threadsafe(self._limit_cleanup)
        else:
            _end()

    def _limit_cleanup(self) -> None:
        """Called by the loop, since a signal may interrupt a write to the standard error."""
        warn(f"entrepot: {self._verb}: cleaning up, for {GRACE:g} s at most; once more ends it at once")
        self._loop.call_later(GRACE, _end)


def _end() -> None:
    raise KeyboardInterrupt
