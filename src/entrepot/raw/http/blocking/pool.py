"""The connections of a process, for any number of threads.

Theory of operation. A request takes a *turn*: at most `limits.in_use` of them are out. With its turn it takes the idle
connection of its origin that was used last, or makes one, and gives back both together. If no turn is free it waits in
line, so that later requests do not overtake earlier ones. A turn that is given back wakes the first in line, who takes
it itself. The wait is bounded not by its length but by inactivity of the whole pool (`note_use`): with many in line
each turn comes late, but it comes.

Ctrl-C can end the main thread after any call, also between two statements here. So a turn is an object, and a
connection that is in use belongs to it from the moment it exists. The identities of the turns that are out are one set,
which one call enters and one call leaves, so that no two records of a turn can disagree. Whoever loses a turn loses the
object, whose finalizer closes the connection and takes it out of the set. A wake-up that is lost is made up for by
those in line, who look every `_LOOK` seconds.

The lock is held for a few statements, and never during I/O. It is reentrant, since a collection of garbage in the midst
of them may give back the turn of an unclosed body. Nothing wakes a pool that is not used, so idle connections whose
time is over are closed by the next request that ends. A forked child starts with an empty pool: the connections were
closed there by their own hook, and turns of the parent are not in its set.
"""

import atexit
import os
import threading
from collections import deque
from time import monotonic
from typing import Final
from weakref import WeakSet

from entrepot.errors import Timeout
from entrepot.raw.http.configured import Limits
from entrepot.raw.http.failures import no_connection_free
from entrepot.raw.runtime.inline import time_left

from .connection import Connection, Holder

Key = tuple[str, int, bool, str | None]
"""What connections can stand in for each other: host, port, whether there is TLS, and the proxy."""


_LOOK: Final = 1.0
"""Seconds after which a request in line looks for a free turn by itself."""


class Turn(Holder):
    """The right to use one connection.

    Arguments:
        pool: the pool that it is of.
        key: where the connection leads.

    Attributes:
        connection: the connection that is used; None if it is still to be made.
        generation: the generation of the pool when the turn was taken.
    """

    __slots__ = ("_pool", "generation", "key")

    def __init__(self, pool: "Pool", key: Key) -> None:
        self._pool = pool
        self.key = key
        self.connection = None
        self.generation = pool.generation

    def give_back(self, *, may_keep: bool) -> None:
        """Gives the turn back with its connection, which is kept for the next request if it can serve one.

        Once is enough: after that, it does nothing.
        """
        self._pool.give_back(self, may_keep=may_keep)

    def note_use(self) -> None:
        """Records activity on the connection, so that those in line keep waiting."""
        self._pool.note_use()

    def __del__(self) -> None:
        """Closes the connection of a turn that nobody gave back: of an unclosed body, or one that Ctrl-C cut short."""
        self._pool.take_back(self)


class Pool:
    """The connections of a transport.

    Arguments:
        limits: how many connections there may be, and for how long.

    Attributes:
        generation: how often the idle connections were closed. Of the connections in use, only those that were made
            since then are kept.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.generation = 0
        self._keeps = True
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._out = set[int]()
        self._line: deque[threading.Event] = deque()
        self._idle: dict[Key, list[Connection]] = {}
        self._used_at = self._swept_at = monotonic()

    def take(self, key: Key, *, is_new: bool) -> Turn:
        """Takes a turn, with an idle connection that its server has not closed, or without one.

        Arguments:
            key: where to.
            is_new: whether the caller wants to make a connection in any case.

        Raises:
            Timeout: all connections were inactive for too long, so that no turn came.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        turn = Turn(self, key)
        with self._lock:
            is_out = not self._line and self._lets_out(turn)
            if is_out and not is_new:
                self._hand_idle(turn)
        if not is_out:
            self._wait_for(turn)
            if not is_new:
                self._hand_next(turn)
        if turn.connection is not None:
            self._pass_over_closed(turn)
        return turn

    def _lets_out(self, turn: Turn) -> bool:
        most = self._limits.in_use
        is_free = most is None or len(self._out) < most
        if is_free:
            self._out.add(id(turn))
        return is_free

    def _hand_idle(self, turn: Turn) -> None:
        if kept := self._idle.get(turn.key):
            turn.connection = kept[-1]  # these two are one step for Ctrl-C, since there is no call
            del kept[-1]

    def _hand_next(self, turn: Turn) -> None:
        with self._lock:
            self._hand_idle(turn)

    def _pass_over_closed(self, turn: Turn) -> None:
        """Takes one idle connection after the other, until its server has not closed it or there is none."""
        limit = self._limits.idle_seconds
        while (idle := turn.connection) is not None:
            if monotonic() - idle.idle_since <= limit and not idle.has_news():
                return
            idle.close()
            turn.connection = None
            self._hand_next(turn)

    def give_back(self, turn: Turn, *, may_keep: bool) -> None:
        """Gives back a turn, see `Turn.give_back`."""
        expired: list[Connection] = []
        now = monotonic()
        with self._lock:
            connection = turn.connection
            if may_keep and connection is not None and id(turn) in self._out and self._has_room(turn.key, connection):
                connection.idle_since = now
                kept = self._idle.setdefault(turn.key, [])
                turn.connection = None  # one step with the next, as above
                kept.append(connection)
            if self._line:
                self._used_at = now
            if now - self._swept_at >= self._limits.idle_seconds:
                expired = self._expired(now)
        self.take_back(turn)
        for idle in expired:
            idle.close()

    def take_back(self, turn: Turn) -> None:
        """Closes the connection of a turn, if it has one, and lets the next request have the turn."""
        connection = turn.connection
        if connection is not None:
            connection.close()
            turn.connection = None
        if id(turn) in self._out:
            with self._lock:
                self._out.discard(id(turn))
                self._wake_first()

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].set()

    def note_use(self) -> None:
        """Records activity on a connection, so that those in line keep waiting."""
        if self._line:
            self._used_at = monotonic()

    def drop_kept(self, key: Key) -> None:
        """Closes the idle connections of an origin, after one of them turned out to be dead.

        The cause (a server that restarted, a load balancer or firewall that forgot the connection) usually cut off all
        connections that were idle at the time, and each would cost a request to find out.
        """
        with self._lock:
            dropped = self._idle.pop(key, ())
        for idle in dropped:
            idle.close()

    def close_idle(self) -> None:
        """Closes the idle connections now, and each of the others when it is given back."""
        with self._lock:
            self.generation += 1
            dropped, self._idle = self._idle, {}
        for kept in dropped.values():
            for idle in kept:
                idle.close()

    def keep_none(self) -> None:
        """Closes the idle connections, and keeps none from now on: the interpreter ends."""
        self._keeps = False
        self.close_idle()

    def forget(self) -> None:
        """Starts anew in the child of a fork."""
        self._reset()

    def __del__(self) -> None:
        for kept in self._idle.values():
            for idle in kept:
                idle.close()

    def _has_room(self, key: Key, connection: Connection) -> bool:
        most = self._limits.idle
        has_room = most is None or len(self._idle.get(key, ())) < most
        # Those in line when the transport was closed are requests in flight, and may still use it.
        is_current = connection.generation == self.generation or bool(self._line)
        return has_room and self._keeps and is_current

    def _expired(self, now: float) -> list[Connection]:
        """Takes out the connections that were idle for too long."""
        self._swept_at = now
        expired = list[Connection]()
        for key, kept in list(self._idle.items()):
            fresh = [idle for idle in kept if now - idle.idle_since <= self._limits.idle_seconds]
            if len(fresh) < len(kept):
                expired += kept[: len(kept) - len(fresh)]  # the oldest come first
            if fresh:
                self._idle[key] = fresh
            else:
                del self._idle[key]
        return expired

    def _wait_for(self, turn: Turn) -> None:
        """Waits in line until the turn is out."""
        wake = threading.Event()
        try:
            self._line.append(wake)
            self._wait(turn, wake)
        finally:
            with self._lock:
                self._line.remove(wake)
                self._wake_first()  # there may be another free turn

    def _wait(self, turn: Turn, wake: threading.Event) -> None:
        patience, since = self._limits.patience, monotonic()
        while not self._is_let_out_first(turn, wake):
            left = None
            if patience is not None:
                left = max(since, self._used_at) + patience - monotonic()
                if left <= 0:
                    raise Timeout(no_connection_free(self._limits.in_use))
            left = time_left(left)
            wake.wait(_LOOK if left is None else min(left, _LOOK))

    def _is_let_out_first(self, turn: Turn, wake: threading.Event) -> bool:
        with self._lock:
            wake.clear()
            return self._line[0] is wake and self._lets_out(turn)


_all: "WeakSet[Pool]" = WeakSet()


def _keep_none() -> None:
    """Before the interpreter ends, while sockets can still be closed without a warning."""
    for pool in list(_all):
        pool.keep_none()


def _forget_inherited() -> None:
    for pool in list(_all):
        pool.forget()


atexit.register(_keep_none)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
