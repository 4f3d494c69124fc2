"""A socket that is lent to a thread, which receives content into the memory of a reader.

Theory of operation. To receive content is mostly to have the kernel copy it, which needs no interpreter lock. So where
long responses arrive at the same time, an event loop uses one core, and threads use the others. A connection lends its
socket while other requests are in flight, a task waits with a large buffer, and a receive was full:

    watched by the loop --- lend ---> lent --- the thread ends, or `Loan.end` ---> watched by the loop

While it is lent, the event loop does not watch the socket (`pause_reading`), and the thread receives by a second
descriptor, which nothing else has. It ends when the buffer is full, which is never longer than the content, when
nothing has arrived for `_PATIENCE`, after `_LONGEST`, at the end of the connection, which it leaves to the event loop
to find, and at an error. Only then is what came counted, in the thread of the loop, and the reader woken.

`Loan.end` is how the loop takes the socket back early, as when the wait of the task is cancelled or the connection is
cut off. It waits for the thread, for one call of the system and `_PATIENCE` at most. After it nothing writes to the
buffer any more, and nothing refers to it. A thread that has not started by then does nothing.

A forked child has neither the thread nor its writes: `Loan.end` does not wait there, as when the child leaves a task by
`sys.exit`. A loop that is closed without an end of its tasks leaves the thread to end by itself, and so does the end of
the interpreter, which waits for that.

The threads are those of the pool of connections: in the executor of the event loop a loan could wait behind other calls
while content arrives. Loans beyond `most()` are refused, and the event loop receives by itself.
"""

import asyncio
import os
import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Lock
from time import monotonic
from typing import Final

from entrepot.raw.runtime.running import call_on

from .direct import is_possible

LEAST: Final = 1024 * 1024
"""How many bytes must be certain to follow for a socket to be lent: a thread takes as long to start as 100 KiB take."""

_PIECE: Final = 1024 * 1024
"""The most bytes of one call, so that a loan can be ended soon."""

_PATIENCE: Final = 2
"""For how many milliseconds the thread waits for more."""

_LONGEST: Final = 0.05
"""The most seconds of a loan. A reader sees progress as often, however slowly content keeps arriving: timeouts of
reads, and of requests that wait for a connection, count on it. The end of the interpreter waits for no more than that.
"""

_MANY: Final = 4
"""The most threads, on any number of cores: content is used by one."""


def most() -> int:
    """How many sockets of an event loop are lent at the same time: as many as there are cores, none on a single one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MANY) if cores > 1 else 0


class Loan:
    """A socket that a thread receives from.

    Arguments:
        connected: the socket, which nothing else receives from before `end`.
        target: the memory to fill.

    Attributes:
        error: why no more can be received.

    Raises:
        OSError: there are too many open files, or the socket is closed.
    """

    __slots__ = ("_is_ended", "_lock", "_process", "_received", "_socket", "_target", "error")

    def __init__(self, connected: socket.socket, target: memoryview) -> None:
        self._socket = connected.dup()
        self._socket.setblocking(False)
        self._target = target
        self.error: Exception | None = None
        self._received = 0
        self._is_ended = False
        self._process = os.getpid()
        self._lock = Lock()  # held by the thread while it receives

    def receive(self) -> None:
        """Receives until the buffer is full, nothing comes, it took long, or the loan is ended. For the thread."""
        poll = select.poll()
        with self._lock:
            if self._is_ended:
                return
            poll.register(self._socket, select.POLLIN)
            ends_at = monotonic() + _LONGEST
            try:
                while self._receive_piece() and monotonic() < ends_at and poll.poll(_PATIENCE):
                    pass
            except Exception as error:  # noqa: BLE001  - whatever it is, it breaks the connection, whose reader is told
                self.error = error

    def _receive_piece(self) -> bool:
        """Receives what is there. Returns whether to go on."""
        try:
            size = self._socket.recv_into(self._target[self._received :], min(_PIECE, self._left))
        except (BlockingIOError, InterruptedError):
            return not self._is_ended
        self._received += size
        return bool(size and self._left) and not self._is_ended

    @property
    def _left(self) -> int:
        return len(self._target) - self._received

    def end(self) -> int:
        """Ends the loan, once. Returns how many bytes were received into the buffer, to which nothing refers now."""
        self._is_ended = True
        with self._lock if os.getpid() == self._process else nullcontext():
            self._target = memoryview(b"")
            self._socket.close()
            return self._received


class Lender:
    """Lends the sockets of an event loop to threads.

    Arguments:
        loop: the event loop.
    """

    __slots__ = ("_loop", "_most", "_threads", "lent")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._most = most() if is_possible(loop) and hasattr(select, "poll") else 0
        self._threads: ThreadPoolExecutor | None = None
        self.lent = 0

    @property
    def can_lend(self) -> bool:
        """Whether a thread is free."""
        return self.lent < self._most

    def lend(self, connected: socket.socket, target: memoryview, when_ended: Callable[[Loan], object]) -> Loan | None:
        """Has a thread receive from a socket. None if there is no thread, or no descriptor, for it.

        Arguments:
            connected: the socket.
            target: the memory to fill.
            when_ended: called by the event loop when the thread has ended, even after `Loan.end`.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most, thread_name_prefix="entrepot-receive")
        try:
            loan = Loan(connected, target)
        except OSError:
            return None

        try:
            self._threads.submit(self._receive, loan, when_ended)
        except RuntimeError:  # the system, or the interpreter, has no thread, now or never; one may have been queued
            self._most = 0
            loan.end()
            return None
        self.lent += 1
        return loan

    def _receive(self, loan: Loan, when_ended: Callable[[Loan], object]) -> None:
        """Receives, and has the event loop find that out. For the thread."""
        loan.receive()
        call_on(self._loop, self._end, loan, when_ended)  # if the loop is closed, nothing waits

    def _end(self, loan: Loan, when_ended: Callable[[Loan], object]) -> None:
        self.lent -= 1
        when_ended(loan)

    def close(self) -> None:
        """Ends the threads, each with its loan."""
        self._most = 0
        if self._threads is not None:
            self._threads.shutdown(wait=False)
