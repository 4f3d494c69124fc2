"""`Pool`: the sessions of a stateful protocol, such as FTP or SFTP, that one event loop has with one server.

Theory of operation. A caller takes a session and gives it back (`Lease`). There is a slot for each use: `limit`
sessions with `users` uses each, so `users=1` gives each caller a session of its own, and more than one suits protocols
whose requests carry identifiers. A caller without a slot waits in line. The wait is bounded
not by its length but by inactivity of the whole pool: for `patience` seconds no session was given back and no body read
or written (`note_use`). With a slot it gets the
session that was used last among those with room, or connects another one; of a session that many may use, one caller at
a time connects, so that callers who arrive together share it. Where the process can open no further file, the caller
waits in line once more and leaves its slot out (`_shrink`): the slots are as many as the sessions, until nobody waits.

Only the session knows whether the server and the client agree on what comes next. It says so by `is_usable`, without
I/O: a protocol without identifiers is not usable between a command and its response. So a call that failed or was
cancelled there, whatever the reason, leaves a session that is thrown away when it is given back.

A session that was not used for `CHECK_AFTER` seconds, or says that it is doubtful, is checked by a request before it is
used: servers and firewalls drop idle connections without a word. Sessions are closed after `idle_seconds` without use,
by a task that runs while there are any. `release` closes the idle ones; the others are closed when they are given back.
`close` closes all of them: the loop ends.

A pool belongs to one event loop of one process: it is made by `shared_pool`, and leaked in a forked child. A lease that
is collected as garbage, maybe in another thread, only leaves a note (`_lost`), which the next call reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from entrepot.errors import Timeout

from .few_files import is_of_too_many_files
from .in_line import waiting_in_line
from .logging_in import logging_in
from .runtime import Local, Runtime, Window
from .runtime.running import of_another_loop

if TYPE_CHECKING:
    from .context import Context

_NO_FILE: Final = "; there are too many open files for another session (ulimit -n)"

CHECK_AFTER: Final = 10.0
"""Seconds without use after which a session is checked before it is used."""


class Session(Protocol):
    """A connection to a server with a state of its own, such as a login."""

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent now, as far as is known without I/O."""
        ...

    @property
    def is_doubtful(self) -> bool:
        """Whether the session must be checked before its next use."""
        ...

    async def check(self) -> bool:
        """Asks the server whether the session still works. It does not raise and takes a bounded time."""
        ...

    def close(self) -> None:
        """Ends the connection, as far as that needs no waiting. It does not raise."""
        ...

    async def wait_closed(self) -> None:
        """Waits until the connection has ended, for a bounded time. It does not raise."""
        ...


S = TypeVar("S", bound=Session)


class _Held(Generic[S]):
    """A session of the pool.

    Attributes:
        users: how many callers use it now.
        used_at: when it was last given back.
        is_released: whether it is closed when the last user has given it back.
    """

    __slots__ = ("is_released", "session", "used_at", "users")

    def __init__(self, session: S, now: float) -> None:
        self.session = session
        self.users = 0
        self.used_at = now
        self.is_released = False


class Lease(Generic[S]):
    """The use of a session by one caller, until `give_back`. As a context manager it ends with the block."""

    __slots__ = ("_held", "pool", "session")

    def __init__(self, pool: Pool[S], held: _Held[S]) -> None:
        self.pool = pool
        self._held: _Held[S] | None = held
        self.session = held.session

    async def give_back(self) -> None:
        """Ends the use. A session that is not usable is closed. A second call does nothing."""
        held, self._held = self._held, None
        if held is not None:
            await self.pool.take_back(held)

    async def __aenter__(self) -> S:
        return self.session

    async def __aexit__(self, *_: object) -> None:
        await self.give_back()

    def __del__(self) -> None:
        if self._held is not None:
            self.pool.note_lost(self._held)


class BodySession(Generic[S]):
    """The session of a body: taken by its first request, and again after it was lost, until `give_back`.

    Arguments:
        sessions: the pool of each event loop.
    """

    __slots__ = ("_lease", "_sessions")

    def __init__(self, sessions: Local[Pool[S]]) -> None:
        self._sessions = sessions
        self._lease: Lease[S] | None = None

    async def get(self) -> S:
        """Returns the session.

        Raises:
            InvalidInput: the body belongs to another event loop, which still runs.
        """
        pool = await self._sessions.get()
        if self._lease is not None and not self._lease.session.is_usable:
            await self.give_back()
        if self._lease is None:
            self._lease = await pool.take()
        if self._lease.pool is not pool:
            raise of_another_loop()
        pool.note_use()
        return self._lease.session

    @property
    def taken(self) -> S | None:
        """The session, if there is one that can be used."""
        return self._lease.session if self._lease is not None and self._lease.session.is_usable else None

    async def give_back(self) -> None:
        """Ends the use of the session."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.give_back()


class Pool(Generic[S]):
    """The sessions of one event loop with one server.

    Arguments:
        runtime: waits.
        connect: makes a session.
        limit: the most sessions.
        users: how many callers may use a session at the same time.
        idle_seconds: seconds without use after which a session is closed.
        patience: seconds that a caller waits for a session while none is used.
    """

    def __init__(
        self,
        runtime: Runtime,
        connect: Callable[[], Awaitable[S]],
        *,
        limit: int,
        users: int = 1,
        idle_seconds: float = 60.0,
        patience: float = 120.0,
    ) -> None:
        self._runtime = runtime
        self._connect = connect
        self._users = users
        self._idle_seconds = idle_seconds
        self._patience = patience
        self._slots = runtime.limiter(limit * users)
        self._connecting = runtime.limiter(limit if users == 1 else 1)
        self._held: list[_Held[S]] = []
        self._lost: list[_Held[S]] = []
        self._uses = 0
        self._taken = self._waiting = self._left_out = 0
        self._reaper: Window[Any] = runtime.window(1)

    def __len__(self) -> int:
        """The number of sessions, used and idle."""
        return len(self._held)

    async def take(self) -> Lease[S]:
        """Returns the use of a session.

        Raises:
            Timeout: all sessions were taken for `patience` seconds, and none of them was used.
            Error: the server cannot be reached, or refuses the login.
        """
        await self._take_lost()
        while True:
            await self._take_slot()
            try:
                held = await self._kept() or await self._connected()
            except BaseException as error:
                if not (is_of_too_many_files(error) and self._shrink()):
                    await self._free_slot()
                    raise
            else:
                held.users += 1
                return Lease(self, held)

    async def take_back(self, held: _Held[S]) -> None:
        """Ends a use of a session. It is kept if it is usable."""
        await self._end_use(held)
        await self._stop_reaper_if_empty()

    def note_use(self) -> None:
        """Records the use of a session, so that those in line keep waiting."""
        self._uses += 1

    def note_lost(self, held: _Held[S]) -> None:
        """Notes that a lease is gone without having been given back. From any thread."""
        self._lost.append(held)

    async def release(self) -> None:
        """Closes the idle sessions now, and each of the others when it is given back."""
        await self._take_lost()
        for held in list(self._held):
            held.is_released = True
            if not held.users:
                await self._drop(held)
        await self._stop_reaper_if_empty()

    async def close(self) -> None:
        """Closes all sessions, those in use as well. No other call follows, but for those that give sessions back."""
        ended, self._held = self._held, []
        for held in ended:  # at once, since a loop that shuts down may not wait for the rest
            held.session.close()
        await self._reaper.close()
        for held in ended:
            await held.session.wait_closed()

    async def _take_lost(self) -> None:
        while self._lost:
            await self._end_use(self._lost.pop())

    async def _take_slot(self) -> None:
        self._waiting += 1
        try:
            await self._wait_for_slot()
        finally:
            self._waiting -= 1
        self._taken += 1

    async def _wait_for_slot(self) -> None:
        while True:
            uses = self._uses
            try:
                with waiting_in_line("the size of the connection pool"):
                    await self._runtime.with_timeout(self._patience, self._slots.__aenter__)
            except TimeoutError:
                if self._uses == uses:
                    break
            else:
                return
        raise Timeout(
            f"all sessions with the server were in use for {self._patience:.0f} s, and none of them read or wrote:"
            f" close readers and writers{_NO_FILE if self._left_out else ''}"
        )

    def _shrink(self) -> bool:
        """Leaves out a slot for whose session there is no file. Returns False if it is the only one in use."""
        if self._taken == 1:
            return False
        self._taken -= 1
        self._left_out += 1
        return True

    async def _end_use(self, held: _Held[S]) -> None:
        self.note_use()
        held.users -= 1
        held.used_at = self._runtime.now()
        try:
            if not held.session.is_usable or (held.is_released and not held.users):
                await self._drop(held)
        finally:  # afterwards, since the next caller may lack the file of a session that is thrown away
            await self._free_slot()

    async def _free_slot(self) -> None:
        self._taken -= 1
        await self._slots.__aexit__(None, None, None)
        while self._left_out and not self._waiting:
            self._left_out -= 1
            await self._slots.__aexit__(None, None, None)

    async def _kept(self) -> _Held[S] | None:
        """The session with room that was used last and works, if there is one."""
        while (held := self._roomy()) is not None:
            if held.users or not self._must_check(held):
                return held
            held.users += 1  # nobody else takes it meanwhile as an idle one
            try:
                works = await held.session.check()
            finally:
                held.users -= 1
            if works and held.session.is_usable and held.users < self._users:
                return held
            if not works:
                await self._drop(held)
        return None

    def _roomy(self) -> _Held[S] | None:
        roomy = [
            held for held in self._held if held.users < self._users and held.session.is_usable and not held.is_released
        ]
        return max(roomy, key=lambda held: held.used_at, default=None)

    def _must_check(self, held: _Held[S]) -> bool:
        return held.session.is_doubtful or self._runtime.now() - held.used_at > CHECK_AFTER

    async def _connected(self) -> _Held[S]:
        async with self._connecting:
            if (kept := await self._kept()) is not None:  # another caller has connected meanwhile
                return kept
            await self._drop_broken()
            with logging_in():
                session = await self._connect()
        held = _Held(session, self._runtime.now())
        self._held.append(held)
        if not len(self._reaper):
            self._reaper.spawn(self._close_idle)
        return held

    async def _drop_broken(self) -> None:
        """Closes sessions that broke while they were idle: else each that replaces one would leave it open for long."""
        for held in list(self._held):
            if not held.users and not held.session.is_usable:
                await self._drop(held)

    async def _drop(self, held: _Held[S]) -> None:
        if held in self._held:
            self._held.remove(held)
        held.session.close()
        await held.session.wait_closed()

    async def _stop_reaper_if_empty(self) -> None:
        if not self._held:
            reaper, self._reaper = self._reaper, self._runtime.window(1)
            await reaper.close()

    async def _close_idle(self) -> None:
        """Closes sessions that were idle for too long, until there are none left."""
        while self._held:
            await self._runtime.sleep(self._idle_seconds / 2)
            await self._take_lost()
            latest = self._runtime.now() - self._idle_seconds
            for held in list(self._held):
                if not held.users and held.used_at <= latest:  # a caller may have taken it since the last wait
                    await self._drop(held)
        self._reaper = self._runtime.window(1)


def has_unread(stream: Any) -> bool:
    """Whether a stream has ended, or holds bytes that no request has asked for. No I/O.

    The response of the next request would begin with such bytes. A server that ends an idle connection often says why.

    Arguments:
        stream: the `asyncio.StreamReader` of a session that is not in use.
    """
    return bool(stream._buffer) or stream.at_eof() or stream.exception() is not None  # noqa: SLF001 - no public name


def shared_pool(context: Context, key: Hashable, make: Callable[[], Pool[S]]) -> Local[Pool[S]]:
    """Returns the pool of each event loop that all stacks of a context share.

    Closing the context closes the idle sessions, and the others when they are given back.

    Arguments:
        context: the context of the service.
        key: names the server and the login.
        make: makes the pool of an event loop.
    """
    return context.shared_local(key, make, Pool.close, Pool.release)
