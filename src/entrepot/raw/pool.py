"""`Pool`: the sessions of a stateful protocol, such as FTP or SFTP, that one event loop has with one server.

Theory of operation. A caller takes a session and gives it back (`Lease`). There is a slot for each use: `limit`
sessions with `users` uses each, so `users=1` gives each caller a session of its own, and more than one suits protocols
whose requests carry identifiers. A caller without a slot waits in line, up to `patience`. With a slot it gets the
session that was used last among those with room, or connects another one; of a session that many may use, one caller at
a time connects, so that callers who arrive together share it.

Only the session knows whether the server and the client agree on what comes next. It says so by `is_usable`, without
I/O: a protocol without identifiers is not usable between a command and its response. So a call that failed or was
cancelled there, whatever the reason, leaves a session that is thrown away when it is given back.

A session that was not used for `CHECK_AFTER` seconds, or says that it is doubtful, is checked by a request before it is
used: servers and firewalls drop idle connections without a word. Sessions are closed after `idle_seconds` without use,
by a task that runs while there are any. `close` closes the idle ones; the others are closed when they are given back.

A pool belongs to one event loop of one process: it is made by `Context.shared_local`, which leaks it in a forked child.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar

from entrepot.errors import Timeout

from .runtime import Runtime, Window

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
    """

    __slots__ = ("session", "used_at", "users")

    def __init__(self, session: S, now: float) -> None:
        self.session = session
        self.users = 0
        self.used_at = now


class Lease(Generic[S]):
    """The use of a session by one caller, until `give_back`. As a context manager it ends with the block."""

    __slots__ = ("_held", "_pool", "session")

    def __init__(self, pool: Pool[S], held: _Held[S]) -> None:
        self._pool = pool
        self._held: _Held[S] | None = held
        self.session = held.session

    async def give_back(self) -> None:
        """Ends the use. A session that is not usable is closed. A second call does nothing."""
        held, self._held = self._held, None
        if held is not None:
            await self._pool.take_back(held)

    async def __aenter__(self) -> S:
        return self.session

    async def __aexit__(self, *_: object) -> None:
        await self.give_back()


class Pool(Generic[S]):
    """The sessions of one event loop with one server.

    Arguments:
        runtime: waits.
        connect: makes a session.
        limit: the most sessions.
        users: how many callers may use a session at the same time.
        idle_seconds: seconds without use after which a session is closed.
        patience: seconds that a caller waits for a session.
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
        self._reaper: Window[Any] = runtime.window(1)
        self._is_closed = False

    def __len__(self) -> int:
        """The number of sessions, used and idle."""
        return len(self._held)

    async def take(self) -> Lease[S]:
        """Returns the use of a session.

        Raises:
            Timeout: all sessions were in use for `patience` seconds.
            Error: the server cannot be reached, or refuses the login.
        """
        try:
            await self._runtime.with_timeout(self._patience, self._slots.__aenter__)
        except TimeoutError:
            raise Timeout(
                f"all sessions with the server were in use for {self._patience:.0f} s: close readers and writers"
            ) from None
        try:
            held = await self._kept() or await self._connected()
        except BaseException:
            await self._free_slot()
            raise
        held.users += 1
        return Lease(self, held)

    async def take_back(self, held: _Held[S]) -> None:
        """Ends a use of a session. It is kept if it is usable."""
        held.users -= 1
        held.used_at = self._runtime.now()
        await self._free_slot()
        if not held.session.is_usable or (self._is_closed and not held.users):
            await self._drop(held)

    async def close(self) -> None:
        """Closes the idle sessions now, and each of the others when it is given back."""
        self._is_closed = True
        idle = [held for held in self._held if not held.users]
        for held in idle:  # at once, since a loop that shuts down may not wait for the rest
            self._held.remove(held)
            held.session.close()
        await self._reaper.close()
        for held in idle:
            await held.session.wait_closed()

    async def _free_slot(self) -> None:
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
        roomy = [held for held in self._held if held.users < self._users and held.session.is_usable]
        return max(roomy, key=lambda held: held.used_at, default=None)

    def _must_check(self, held: _Held[S]) -> bool:
        return held.session.is_doubtful or self._runtime.now() - held.used_at > CHECK_AFTER

    async def _connected(self) -> _Held[S]:
        async with self._connecting:
            if (kept := await self._kept()) is not None:  # another caller has connected meanwhile
                return kept
            session = await self._connect()
        held = _Held(session, self._runtime.now())
        self._held.append(held)
        if not len(self._reaper) and not self._is_closed:
            self._reaper.spawn(self._close_idle)
        return held

    async def _drop(self, held: _Held[S]) -> None:
        with suppress(ValueError):  # another user has dropped it
            self._held.remove(held)
        held.session.close()
        await held.session.wait_closed()

    async def _close_idle(self) -> None:
        """Closes sessions that were idle for too long, until there are none left."""
        while self._held:
            await self._runtime.sleep(self._idle_seconds / 2)
            latest = self._runtime.now() - self._idle_seconds
            for held in [held for held in self._held if not held.users and held.used_at <= latest]:
                await self._drop(held)
        self._reaper = self._runtime.window(1)
