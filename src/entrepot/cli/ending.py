"""What Ctrl-C and other signals do to a running verb."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

from .exit_codes import INTERRUPTED
from .output import warn

CODES: Final = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""The signals that end a verb in good order, and the exit code of each."""

GRACE: Final = 5.0
"""Seconds for which a verb goes on to clean up after a second signal."""


class Ending:
    """Ends a verb by signals: the first one cancels it, so that writes are given up and uploads are aborted.

    Many a user presses Ctrl-C twice. The second signal lets the cleanup go on for `GRACE` seconds, since parts of an
    upload that is not aborted cost money. The third one ends it at once, by KeyboardInterrupt, and so does each one
    before the verb and after its cleanup. Thereafter a signal ends the process, which may wait for a thread. A signal
    that is ignored, as by `nohup`, stays ignored. Used as a context manager around the event loop.

    The interpreter runs handlers between two steps of the main thread. A signal that comes just before the event loop
    begins to wait, or to another thread, would be noticed when something else wakes the loop, which for `tee` may be
    never. So every signal writes a byte to a socket that the loop watches.

    Arguments:
        verb: the name of the command, for messages.
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._signals: list[int] = []
        self._task: asyncio.Task[Any] | None = None

    @property
    def code(self) -> int:
        """The exit code of a verb that was ended."""
        return CODES[signal.Signals(self._signals[0])] if self._signals else INTERRUPTED

    def __enter__(self) -> Self:
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)  # which set_wakeup_fd demands
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        _handle(self._note)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _handle(signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        self._woken.close()
        self._waker.close()

    @contextmanager
    def of_this_task(self) -> Iterator[None]:
        """Around the verb, with its cleanup: the first signal cancels the task."""
        asyncio.get_running_loop().add_reader(self._woken, self._woken.recv, 4096)
        self._task = asyncio.current_task()
        try:
            yield
        finally:
            self._task = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)
        if self._task is None or len(self._signals) > 2:
            self._end()
        loop = self._task.get_loop()
        loop.call_soon_threadsafe(self._task.cancel if len(self._signals) == 1 else self._limit_cleanup)

    def _limit_cleanup(self) -> None:
        """Called by the loop, since a signal may interrupt a write to the standard error."""
        warn(f"entrepot: {self._verb}: cleaning up, for {GRACE:g} s at most; once more ends it at once")
        asyncio.get_running_loop().call_later(GRACE, self._end)

    def _end(self) -> NoReturn:
        _handle(signal.SIG_DFL)
        raise KeyboardInterrupt


def _handle(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in CODES:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
