"""`PostgresqlSession`: one connection of asyncpg, which makes the statements of one caller at a time.

Statements change nothing of a session but in a transaction, so nothing resets it between two callers, as the pool of
asyncpg does by a round trip. A session is busy from its first statement until the last response, so that the pool
throws away one whose caller failed or was cancelled in between. The server is told to stop the statement of such a
caller, since it does not see that the connection has ended before it has made it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from entrepot.errors import Error
from entrepot.raw.http.tls import Tls, TlsFiles
from entrepot.raw.pool import Pool
from entrepot.raw.runtime.cut_off import cut_off

from .errors import translated

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Postgresql

T = TypeVar("T")
Args = TypeVarTuple("Args")

CHECK_SECONDS: Final = 10.0
"""Seconds in which a session that is checked must answer."""

STOP_SECONDS: Final = 5.0
"""Seconds in which the server must stop a statement; else the connection is cut."""


class PostgresqlSession:
    """Makes statements, and translates their errors.

    Arguments:
        runtime: waits.
        connection: the connection.
        timeout: seconds until the server has answered a call.
    """

    def __init__(self, runtime: Runtime, connection: Any, timeout: float) -> None:
        self._runtime = runtime
        self._connection = connection
        self._transport = connection._transport  # noqa: SLF001 - no public name
        self._timeout = timeout
        self._is_busy = False

    @property
    def is_usable(self) -> bool:
        return not (self._is_busy or self._connection.is_closed())

    @property
    def is_doubtful(self) -> bool:
        return False

    async def check(self) -> bool:
        try:
            await self._runtime.with_timeout(CHECK_SECONDS, self.fetch, "SELECT 1")
        except (TimeoutError, Error):
            return False
        return True

    def close(self) -> None:
        self._connection.terminate()
        cut_off(self._transport)  # asyncpg 0.30 leaves it open after a `close` that was cut short

    async def wait_closed(self) -> None:
        await self._runtime.sleep(0)

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """The rows of a statement, as `run`."""
        rows: Sequence[Any] = await self.run(asyncpg.Connection.fetch, statement, *arguments)
        return rows

    async def run(self, call: Callable[[Any, *Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call with the connection.

        Raises:
            Error: the server refuses a statement (the context has its SQLSTATE), does not answer in time, or cannot be
                reached.
        """
        self._is_busy = True
        with translated():
            try:
                result = await self._runtime.with_timeout(self._timeout, call, self._connection, *args)
            except asyncpg.PostgresError as error:
                self._is_busy = error.severity_en != "ERROR"  # worse ones end the connection
                raise
            except BaseException:
                await self._runtime.shield(self._stop)
                raise
        self._is_busy = False
        return result

    async def transaction(self, call: Callable[[Any, *Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call of several statements, which take effect together. Raises as `run`."""
        return await self.run(_together, call, *args)

    async def _stop(self) -> None:
        """Ends the connection after the statement that the server may still be making, which it is told to stop."""
        with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._runtime.with_timeout(STOP_SECONDS, self._connection.close)


async def _together(connection: Any, call: Callable[[Any, *Args], Awaitable[T]], *args: *Args) -> T:
    """Makes a call in a transaction.

    `transaction` of asyncpg would also roll back after a timeout, and wait without an end for a server that hangs: here
    the end of the connection does that.
    """
    await connection.execute("BEGIN")
    try:
        result = await call(connection, *args)
    except asyncpg.PostgresError:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return result


async def connect(runtime: Runtime, config: Postgresql, tls: Tls) -> PostgresqlSession:
    """Connects and logs in.

    Arguments:
        runtime: waits.
        config: where the database is.
        tls: reads the files of TLS first. To asyncpg one that cannot be read is a connection that cannot be made.
    """
    runtime.timeout(None)  # refuses a call outside of a task, which asyncpg cannot make
    if not tls.is_ready:
        await tls.prepare()
    with translated():
        connection = await asyncpg.connect(
            config.dsn,
            user=config.username,
            password=config.password,
            timeout=config.connect_timeout,
            statement_cache_size=config.statement_cache_size,
        )
    return PostgresqlSession(runtime, connection, config.idle_timeout)


def new_pool(runtime: Runtime, config: Postgresql) -> Pool[PostgresqlSession]:
    """Makes the pool of an event loop."""
    tls = Tls(_tls_files(config.dsn))
    return Pool(runtime, partial(connect, runtime, config, tls), limit=config.connection_pool_max_size)


def _tls_files(dsn: str) -> TlsFiles:
    """The files that TLS reads, by the options that the connection string has for them."""
    options = dict(parse_qsl(urlsplit(dsn).query))
    if options.get("sslmode") == "disable":
        return TlsFiles()
    return TlsFiles(
        ca_file=options.get("sslrootcert"),
        client_certificate=options.get("sslcert"),
        client_key=options.get("sslkey"),
        client_key_password=options.get("sslpassword"),
    )
