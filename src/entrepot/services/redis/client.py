"""The clients of redis-py for one configuration, each with a pool of connections that belongs to an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from entrepot.raw.http.tls import Tls, TlsFiles

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Address
    from .config import Redis as Config

READ_SIZE: Final = 256 * 1024
"""The most bytes that are received at once."""


def new_client(config: Config) -> Redis:
    """Makes a client. It connects with its first call, and never repeats one: the retries of the stack do."""
    pool = BlockingConnectionPool(
        max_connections=config.connection_pool_max_size,
        timeout=config.idle_timeout,
        connection_class=_kind(config.address),
        db=config.db,
        username=config.username,
        password=config.password,
        socket_connect_timeout=config.connect_timeout,
        socket_timeout=config.idle_timeout,
        socket_read_size=READ_SIZE,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **_place(config.address),
        **(_tls(config) if config.address.is_tls else {}),
    )
    return Redis.from_pool(pool)


class Session(NamedTuple):
    """The client of one event loop.

    Arguments:
        client: the client.
        tls: reads the files of TLS before it does, which takes one that cannot be read for a broken connection, and
            lets OpenSSL ask on the terminal for the password of a key.
        runtime: the runtime of the service.
    """

    client: Redis
    tls: Tls
    runtime: Runtime


def new_session(config: Config, runtime: Runtime) -> Session:
    """Makes a client for the running loop."""
    files = TlsFiles(config.ca_file, client_certificate=config.client_certificate, client_key=config.client_key)
    return Session(new_client(config), Tls(files), runtime)


async def close(session: Session) -> None:
    """Closes the connections of a client."""
    await session.client.aclose()


def _kind(address: Address) -> type[Any]:
    if address.socket:
        return UnixDomainSocketConnection
    return SSLConnection if address.is_tls else Connection


def _place(address: Address) -> dict[str, Any]:
    return {"path": address.socket} if address.socket else {"host": address.host, "port": address.port}


def _tls(config: Config) -> dict[str, Any]:
    return {
        "ssl_ca_certs": config.ca_file,
        "ssl_certfile": config.client_certificate,
        "ssl_keyfile": config.client_key,
        "ssl_cert_reqs": "none" if config.allow_invalid_certificates else "required",
        "ssl_check_hostname": not config.allow_invalid_certificates,
    }
