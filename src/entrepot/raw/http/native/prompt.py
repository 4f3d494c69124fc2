"""`PromptWait`: a wait whose task goes on within the callback that ends it.

Theory of operation. The task of a future goes on in the next turn of the event loop: with one request at a time, each
response costs a turn, and a look at all sockets, for nothing; with many, a turn receives all responses before the first
is looked at. A prompt wait runs the task in place. That pays only together with the `outbox`: where each task sends its
next request at once, the server answers it while other responses are received, and each turn finds fewer of them.

`asyncio` lets a task wait for any object that behaves like a future (`asyncio.isfuture`). This one has what a task
needs of it, and one task may wait. The callback is the task's own step, which catches all but what ends the loop.

A callback of a loop cannot be called while it is being called. So nothing may run the loop within the task, as code in
notebooks does (`may_run_within_itself`): the loop would find what arrives on the connection again and again, and could
not have it received.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any

from entrepot.raw.runtime.running import may_run_within_itself


class PromptWait:
    """A wait that one task awaits, once.

    Arguments:
        loop: the event loop of the task.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_go_on", "_is_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._go_on: Callable[[PromptWait], object] | None = None
        self._context: Context | None = None
        self._cancelled: tuple[object, ...] | None = None
        self._is_done = False

    def set_result(self, _result: None) -> None:
        """Ends the wait. The task goes on in the next turn of the loop."""
        self._is_done = True
        if self._go_on is not None:
            self._loop.call_soon(self._go_on, self, context=self._context)

    def end_at_once(self) -> None:
        """Ends the wait, and runs its task until that waits again. It is called last, since the task may do anything.

        Within another task, where no task can be run, it goes on in the next turn of the loop; and so it does if the
        task may run the loop within itself.
        """
        if (
            self._context is None
            or self._go_on is None
            or asyncio.current_task(self._loop) is not None
            or may_run_within_itself(self._loop)
        ):
            self.set_result(None)
        else:
            self._is_done = True
            try:
                self._context.run(self._go_on, self)
            except (SystemExit, KeyboardInterrupt) as error:
                # It ends the loop. uvloop takes any error in a callback of a connection for one of the connection.
                self._loop.call_soon(_raise, error)

    # Called by the task.

    def __await__(self) -> Generator[Any, None, None]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the task."""
        return self._loop

    def add_done_callback(self, callback: Callable[["PromptWait"], object], *, context: Context) -> None:
        """Records how the task goes on: in the next turn, if the wait ended after it was awaited."""
        self._go_on, self._context = callback, context
        if self._is_done:
            self._loop.call_soon(callback, self, context=context)

    def done(self) -> bool:
        """Whether the wait has ended."""
        return self._is_done

    def cancel(self, msg: object = None) -> bool:
        """Ends the wait with a cancellation. Returns whether it had not ended."""
        if self._is_done:
            return False
        self._cancelled = () if msg is None else (msg,)
        self.set_result(None)
        return True

    def result(self) -> None:
        """Raises the cancellation, if the wait ended with one."""
        if self._cancelled is not None:
            raise asyncio.CancelledError(*self._cancelled)  # kept here, it would hold the task's frames in a cycle


def _raise(error: BaseException) -> None:
    raise error
