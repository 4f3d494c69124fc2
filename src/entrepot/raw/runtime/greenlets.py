"""The background event loop of a program whose threads are greenlets, as gevent's `monkey.patch_all()` makes them.

Theory of operation. Greenlets share one thread of the system, and Python notes the running event loop for each thread
of the system. A loop that runs in one greenlet would so seem to run in all: `asyncio.run` is refused there, and so is
every query of Django ("You cannot call this from an async context"). Other greenlets run while the loop waits for
events. So the loop is noted only between two waits: the selector puts back what was noted before, and the loop of
another greenlet, if it began meanwhile, is put back the next time.

Greenlets survive a fork, unlike threads. In the child the loop of the parent never returns from its wait.
"""

import _thread
import asyncio
import os
import threading
from asyncio.events import _get_running_loop, _set_running_loop  # for authors of event loops
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import DefaultSelector, SelectorKey
from types import BuiltinFunctionType


def threads_are_greenlets() -> bool:
    """Whether a package has replaced the threads of Python. Their identities are then its own.

    A debugger replaces `start_new_thread` too, and the threads that it starts are those of the system.
    """
    return not isinstance(_thread.get_ident, BuiltinFunctionType)


class GreenletSelector(DefaultSelector):
    """A selector whose event loop is noted as running only between two waits."""

    def __init__(self) -> None:
        super().__init__()
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outer: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def serving(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """A block that runs a loop over this selector, though a loop of another greenlet may be noted as running."""
        self._loop, self._outer = loop, _get_running_loop()
        _set_running_loop(None)
        try:
            yield
        finally:
            self._put_back_outer()

    @contextmanager
    def away(self) -> Iterator[None]:
        """A block of the loop's greenlet in which other greenlets may run."""
        self._put_back_outer()
        try:
            yield
        finally:
            self._outer = _get_running_loop()
            _set_running_loop(self._loop)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Waits for events, as every selector does."""
        with self.away():
            events = super().select(timeout)
            if os.getpid() != self._process:
                threading.Event().wait()
        return events

    def _put_back_outer(self) -> None:
        is_running = self._outer is not None and self._outer.is_running()
        _set_running_loop(self._outer if is_running else None)
