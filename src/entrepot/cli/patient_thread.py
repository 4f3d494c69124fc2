"""A thread for calls that may wait for ever, such as a read of a terminal.

The interpreter waits at its end for the threads of asyncio, so that Ctrl-C would not end a command that waits for its
input. It does not wait for this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class PatientThread:
    """A daemon thread that makes one call after the other. It is started by the first one."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: Thread | None = None

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Makes a call in the thread and returns its result. A caller that is cancelled does not end it."""
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def make() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
                _tell(loop, _settle_if_awaited, future, future.set_exception, error)
            else:
                _tell(loop, _settle_if_awaited, future, future.set_result, result)

        self._calls.put(make)
        return await future

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed, maybe just now: nobody waits any more
        loop.call_soon_threadsafe(callback, *arguments)


def _settle_if_awaited(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.cancelled():
        settle(value)
