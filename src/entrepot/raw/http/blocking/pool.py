"""The connections of a process, for any number of threads.

Theory of operation. A request takes a *turn*: at most `limits.in_use` of them are out. With its turn it takes the idle
connection of its origin that was used last, or makes one, and gives back both together. If no turn is free it waits in
line, so that later requests do not overtake earlier ones, and a turn that is given back is handed to the first in line.
Who gives up its place in line, by a timeout or Ctrl-C, passes on a turn that it has just been handed. The wait is
bounded not by its length but by inactivity of the whole pool (`note_use`): with many in line each turn comes late, but
it comes.

The lock is held for a few statements, and never during I/O. It is reentrant, since a collection of garbage in the midst
of them may give back the connection of an unclosed body. Nothing wakes a pool that is not used, so idle connections
whose time is over are closed by the next request that ends. A forked child starts with an empty pool: the connections
were closed there by their own hook.
"""

import atexit
import os
import threading
from collections import deque
from time import monotonic
from weakref import WeakSet

from entrepot.errors import Timeout
from entrepot.raw.http.configured import Limits
from entrepot.raw.http.failures import no_connection_free
from entrepot.raw.runtime.inline import time_left

from .connection import Connection

Key = tuple[str, int, bool, str | None]
"""What connections can stand in for each other: host, port, whether there is TLS, and the proxy."""


class _Place:
    """A place in the line of those who wait for a turn."""

    __slots__ = ("has_turn", "wake")

    def __init__(self) -> None:
        self.has_turn = False
        self.wake = threading.Event()


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
        self._turns = 0
        self._line: deque[_Place] = deque()
        self._idle: dict[Key, list[Connection]] = {}
        self._used_at = self._swept_at = monotonic()

    def take(self, key: Key, *, is_new: bool) -> Connection | None:
        """Takes a turn, with an idle connection that its server has not closed; None if the caller must make one.

        Arguments:
            key: where to.
            is_new: whether the caller wants to make one in any case.

        Raises:
            Timeout: all connections were inactive for too long, so that no turn came.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        idle: Connection | None = None
        with self._lock:
            place = self._line_up()
            if place is None and not is_new and (kept := self._idle.get(key)):
                idle = kept.pop()
        if place is not None:
            self._wait_for_turn(place)
            idle = None if is_new else self._pop(key)
        return None if idle is None else self._living(key, idle)

    def _line_up(self) -> _Place | None:
        """Takes a turn, or a place in line if none is free."""
        if self._takes_free_turn():
            return None
        place = _Place()
        if self._takes_free_turn():  # a collection of garbage, in the line above, gave one back
            return None
        self._line.append(place)
        return place

    def _takes_free_turn(self) -> bool:
        most = self._limits.in_use
        is_free = not self._line and (most is None or self._turns < most)
        if is_free:
            self._turns += 1
        return is_free

    def _living(self, key: Key, idle: Connection | None) -> Connection | None:
        """The first connection, of this one and the other idle ones, that its server has not closed."""
        try:
            while idle is not None:
                if monotonic() - idle.idle_since <= self._limits.idle_seconds and not idle.has_news():
                    return idle
                idle.close()
                idle = self._pop(key)
        except BaseException:
            self.give_up()
            raise
        return None

    def _pop(self, key: Key) -> Connection | None:
        with self._lock:
            kept = self._idle.get(key)
            return kept.pop() if kept else None

    def _wait_for_turn(self, place: _Place) -> None:
        try:
            self._wait(place)
        except BaseException:
            self._leave(place)
            raise

    def give_up(self) -> None:
        """Gives back a turn without a connection."""
        with self._lock:
            self._pass_on()

    def give_back(self, key: Key, connection: Connection, *, may_keep: bool) -> None:
        """Gives back a turn with its connection, which is kept for the next request if it can serve one."""
        if connection.is_inherited:
            return  # the turn was one of the parent's
        connection.idle_since = now = monotonic()
        with self._lock:
            is_kept = may_keep and self._has_room(key, connection)
            if is_kept:
                self._idle.setdefault(key, []).append(connection)
            if self._line:
                self._used_at = now
            self._pass_on()
            expired = self._expired(now) if now - self._swept_at >= self._limits.idle_seconds else ()
        if not is_kept:
            connection.close()
        for idle in expired:
            idle.close()

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

    def _pass_on(self) -> None:
        if self._line:
            place = self._line.popleft()
            place.has_turn = True
            place.wake.set()
        else:
            self._turns -= 1

    def _leave(self, place: _Place) -> None:
        """Leaves the line. A turn that has just come is passed on."""
        with self._lock:
            if place.has_turn:
                self._pass_on()
            else:
                self._line.remove(place)

    def _wait(self, place: _Place) -> None:
        patience, since = self._limits.patience, monotonic()
        while not place.has_turn:
            left = None
            if patience is not None:
                left = max(since, self._used_at) + patience - monotonic()
                if left <= 0:
                    raise Timeout(no_connection_free(self._limits.in_use))
            place.wake.wait(time_left(left))


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
