"""The connections of one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from entrepot.raw.http.tls import Tls, TlsFiles

from .errors import translated

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Postgresql

CLOSE_SECONDS: Final = 5.0
"""Seconds for calls to end before their connections are cut."""


class Pool:
    """A pool of connections, which are opened on use.

    Arguments:
        config: where the database is.
        runtime: the runtime of the service.
    """

    def __init__(self, config: Postgresql, runtime: Runtime) -> None:
        self._runtime = runtime
        self._preparing = runtime.lock()
        self._is_ready = False
        self._tls = Tls(_tls_files(config.dsn))
        self._pool: Any = asyncpg.create_pool(
            config.dsn,
            user=config.username,
            password=config.password,
            min_size=0,
            max_size=config.connection_pool_max_size,
            timeout=config.connect_timeout,
            command_timeout=config.idle_timeout,
            statement_cache_size=config.statement_cache_size,
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection, as soon as one is free. Its errors become ours."""
        with translated():
            self._runtime.timeout(None)  # refuses a call outside of a task, which asyncpg cannot make
            if not self._is_ready:
                async with self._preparing:  # a pool must not be made ready twice at the same time
                    await self._make_ready()
            async with self._pool.acquire() as connection:
                yield connection

    async def _make_ready(self) -> None:
        """Reads the files of TLS first. To asyncpg one that cannot be read is a connection that cannot be made."""
        if not self._tls.is_ready:
            await self._tls.prepare()
        await self._pool
        self._is_ready = True

    async def close(self) -> None:
        """Closes the connections. Calls that use one are waited for, up to `CLOSE_SECONDS`.

        Without such calls nothing is waited for: the pool of an operator that is gone may be closed in the last turns
        of its loop.
        """
        if not self._is_ready:
            return
        if self._pool.get_size() == self._pool.get_idle_size():
            self._pool.terminate()
            return
        try:
            async with self._runtime.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
        except BaseException:
            self._pool.terminate()
            raise


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
