"""The connections of a process, for any number of threads.

Theory of operation. A request takes a *turn*: at most `limits.in_use` of them are out. With its turn it takes the idle
connection of its origin that was used last, or makes one, and gives back both together. If no turn is free it waits in
line, so that later requests do not overtake earlier ones. A turn that is given back wakes the first in line, who takes
it itself. The wait is bounded not by its length but by inactivity of the whole pool (`note_use`): with many in line
each turn comes late, but it comes. Where the process can open no further file, there are as many turns as connections
(`shrink`), until nobody waits in line.

Ctrl-C can end the main thread after any call, also between two statements here. So a turn is an object, and its
connection belongs to it from the moment it exists. The identities of the turns that are out are one set, which one call
enters and one call leaves, so that no two records of a turn can disagree. A request that is cut short drops the object,
whose finalizer closes the connection and takes the turn out of the set. A turn that was given back with a good
connection is kept whole, for the next request to that origin; so its last user must not refer to it any more. A wake-up
that is lost is made up for by those in line, who look every `_LOOK` seconds.

The lock is held for a few statements, and never during I/O. It is reentrant, since a collection of garbage in the midst
of them may give back the turn of an unclosed body. For the same reason those in line wait for a `SimpleQueue`: the
collection may wake the thread that it runs in, and an `Event` would have its own lock held by then. Nothing wakes a
pool that is not used, so idle connections whose time is over are closed by the next request that ends. A forked child
starts with an empty pool: the connections were closed there by their own hook, and turns of the parent are not in its
set.
"""

import atexit
import os
import sys
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final
from weakref import WeakSet

from entrepot.errors import Timeout
from entrepot.raw.http.configured import Limits
from entrepot.raw.http.failures import no_connection_free
from entrepot.raw.runtime.inline import time_left

from .connection import Holder

Key = tuple[str, int, bool, str | None]
"""What connections can stand in for each other: host, port, whether there is TLS, and the proxy."""


_LOOK: Final = 1.0
"""Seconds after which a request in line looks for a free turn by itself."""


class Turn(Holder):
    """The right to use one connection.

    Arguments:
        key: where the connection leads.

    Attributes:
        key: the same.
        connection: the connection; None if it is still to be made.
        pool: the pool that it is of; None if it is not out. An idle turn in a cycle with its pool would keep the
            connections of a transport that is dropped.
    """

    __slots__ = ("key", "pool")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.connection = None
        self.pool: Pool | None = None

    def give_back(self, *, may_keep: bool) -> None:
        """Gives the turn back with its connection, which is kept for the next request if it can serve one.

        The caller must not use the turn any more.
        """
        if self.pool is not None:
            self.pool.give_back(self, may_keep=may_keep)

    def note_use(self) -> None:
        """Records activity on the connection, so that those in line keep waiting."""
        if self.pool is not None:
            self.pool.note_use()

    def close(self) -> None:
        """Closes the connection, if there is one."""
        connection = self.connection
        if connection is not None:
            connection.close()
            self.connection = None

    def __del__(self) -> None:
        """Closes the connection of a turn that was not given back: of an unclosed body, or cut short by Ctrl-C."""
        self.close()
        if self.pool is not None:
            self.pool.end(self)


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
        self._most_turns = sys.maxsize if limits.in_use is None else limits.in_use
        self._most_idle = sys.maxsize if limits.idle is None else limits.idle
        self._idle_seconds = limits.idle_seconds
        self.generation = 0
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._most = self._most_turns
        self._out = set[int]()
        self._line: deque[SimpleQueue[None]] = deque()
        self._idle: dict[Key, list[Turn]] = {}
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
        with self._lock:
            turn = None if self._line else self._free_turn(key, is_new=is_new)
        if turn is None:
            turn = self._turn_in_line(key, is_new=is_new)
        while (idle := turn.connection) is not None:
            if monotonic() - idle.idle_since <= self._idle_seconds and not idle.has_news():
                break
            self._pass_over_closed(turn)
        return turn

    def _free_turn(self, key: Key, *, is_new: bool) -> Turn | None:
        """Takes a turn, with an idle connection if there is one; None if no turn is free."""
        if len(self._out) >= self._most:
            return None
        if not is_new and (kept := self._idle.get(key)):
            turn = kept[-1]
            del kept[-1]  # Ctrl-C cannot come between these two, since there is no call
        else:
            turn = Turn(key)
        turn.pool = self
        self._out.add(id(turn))
        return turn

    def _pass_over_closed(self, turn: Turn) -> None:
        """Replaces the connection of a turn, which its server has closed, by the next idle one if there is one."""
        turn.close()
        with self._lock:
            if kept := self._idle.get(turn.key):
                turn.connection, kept[-1].connection = kept[-1].connection, None
                del kept[-1]

    def give_back(self, turn: Turn, *, may_keep: bool) -> None:
        """Gives back a turn, see `Turn.give_back`."""
        expired: list[Turn] = []
        now = monotonic()
        with self._lock:
            if self._line:
                self._used_at = now
            connection, kept = turn.connection, self._idle.get(turn.key)
            if (
                may_keep
                and connection is not None
                # Those in line when the transport was closed may still use an older one.
                and (connection.generation == self.generation or self._line)
                and id(turn) in self._out  # not after a fork
                and len(kept or ()) < self._most_idle
            ):
                if kept is None:
                    kept = self._idle[turn.key] = []
                connection.idle_since = now
                self._out.discard(id(turn))
                turn.pool = None
                kept.append(turn)
                self._wake_first()
            if now - self._swept_at >= self._idle_seconds:
                expired = self._expired(now)
        if turn.pool is not None:
            turn.close()
            self.end(turn)
        for idle in expired:
            idle.close()

    def end(self, turn: Turn) -> None:
        """Lets the next request have the turn of one whose connection is closed."""
        with self._lock:
            self._out.discard(id(turn))
            turn.pool = None
            self._wake_first()

    def shrink(self, turn: Turn) -> bool:
        """Ends a turn for whose connection there is no file. Idle connections are closed for it.

        Returns False, and leaves the turn, if there are none and no other turn is out: waiting would have no end.
        """
        with self._lock:
            idle, self._idle = [turn for kept in self._idle.values() for turn in kept], {}
            if not idle:
                if len(self._out) == 1:
                    return False
                self._out.discard(id(turn))
                turn.pool = None
                self._most = len(self._out)
                return True
        for kept in idle:
            kept.close()
        self.end(turn)  # afterwards: until they are closed, a request that lacks a file too has something to wait for
        return True

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].put(None)
        else:
            self._most = self._most_turns

    def note_use(self) -> None:
        """Records activity on a connection, so that those in line keep waiting."""
        if self._line:
            self._used_at = monotonic()

    def drop_kept(self, key: Key) -> None:
        """Closes the idle connections of an origin, after one of them turned out to be dead."""
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
        self._most_idle = 0
        self.close_idle()

    def forget(self) -> None:
        """Starts anew in the child of a fork."""
        self._reset()

    def _expired(self, now: float) -> list[Turn]:
        """Takes out the connections that were idle for too long."""
        self._swept_at = now
        expired = list[Turn]()
        for key, kept in list(self._idle.items()):
            fresh = [idle for idle in kept if self._is_fresh(idle, now)]
            if len(fresh) < len(kept):
                expired += kept[: len(kept) - len(fresh)]  # the oldest come first
            if fresh:
                self._idle[key] = fresh
            else:
                del self._idle[key]
        return expired

    def _is_fresh(self, idle: Turn, now: float) -> bool:
        return idle.connection is not None and now - idle.connection.idle_since <= self._idle_seconds

    def _turn_in_line(self, key: Key, *, is_new: bool) -> Turn:
        """Waits in line for a turn."""
        wake: SimpleQueue[None] = SimpleQueue()
        try:
            self._line.append(wake)
            turn = self._wait(wake, key, is_new=is_new)
        finally:
            with self._lock:
                self._line.remove(wake)
                self._wake_first()  # there may be another free turn
        return turn

    def _wait(self, wake: SimpleQueue[None], key: Key, *, is_new: bool) -> Turn:
        patience, since = self._limits.patience, monotonic()
        while True:
            with self._lock:
                turn = self._free_turn(key, is_new=is_new) if self._line[0] is wake else None
            if turn is not None:
                return turn
            left = None
            if patience is not None:
                left = max(since, self._used_at) + patience - monotonic()
                if left <= 0:
                    raise Timeout(no_connection_free(len(self._out), self._limits.in_use))
            left = time_left(left)
            with suppress(Empty):
                wake.get(timeout=_LOOK if left is None else min(left, _LOOK))


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
