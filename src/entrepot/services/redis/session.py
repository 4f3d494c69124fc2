"""`RedisSession`: one connection of redis-py, which makes the commands of one caller at a time.

A session is busy from the first byte of its commands until the last response, so that the pool throws away one whose
caller failed or was cancelled in between. redis-py connects, logs in and reads responses. Its own client and pool take
four times as much CPU for a call as that, and in a pipeline a timer for each response.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from entrepot.errors import Error
from entrepot.raw.http.tls import Tls, TlsFiles
from entrepot.raw.pool import Pool, has_unread
from entrepot.raw.runtime.cut_off import cut_off

from .errors import meaning_of, no_redis, translated

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Address, Redis

READ_SIZE: Final = 256 * 1024
"""The most bytes that are received at once."""

CHECK_SECONDS: Final = 10.0
"""Seconds in which a session that is checked must answer."""

LARGE: Final = 16 * 1024
"""Arguments of more bytes are sent without a copy."""

Command: TypeAlias = Sequence[str | bytes | int]
"""The name of a command and its arguments. Text is sent in UTF-8."""

_NUMBERS: Final = ("APPEND", "COPY", "EXISTS", "PEXPIRE", "RENAMENX", "STRLEN", "UNLINK")
_TYPES: Final[dict[object, Any]] = {
    **dict.fromkeys(_NUMBERS, int),
    **dict.fromkeys(("GET", "SET"), (bytes, type(None))),
    **dict.fromkeys(("GETRANGE", "RENAME"), bytes),
    "SCAN": list,
}
"""The types of the responses, by the command."""


class RedisSession:
    """Makes commands, and translates errors of the connection.

    Arguments:
        runtime: waits.
        connection: the connection, which has no limits of time of its own.
        timeout: seconds until the server has taken the commands, and until it has answered them.
    """

    def __init__(self, runtime: Runtime, connection: Any, timeout: float) -> None:
        self._runtime = runtime
        self._connection = connection
        self._reader, self._transport = connection._reader, connection._writer.transport  # noqa: SLF001 - no public name
        self._parser_in_c = getattr(connection._parser, "_reader", None)  # noqa: SLF001
        self._timeout = timeout
        self._is_busy = False

    @property
    def is_usable(self) -> bool:
        return not self._is_busy and self._connection.is_connected and not self._is_unread()

    @property
    def is_doubtful(self) -> bool:
        return False

    async def check(self) -> bool:
        try:
            await self._runtime.with_timeout(CHECK_SECONDS, self.exchange, [("PING",)])
        except (TimeoutError, Error):
            return False
        return True

    def close(self) -> None:
        cut_off(self._transport)  # else the rest of a command that nobody waits for is still sent, and takes effect
        self._connection._close()  # noqa: SLF001 - the public way is a coroutine, and a loop that ends may not wait

    async def wait_closed(self) -> None:
        await self._runtime.sleep(0)

    async def call(self, *commands: Command) -> list[Any]:
        """The responses to commands, between which the server may make those of others.

        Raises:
            Error: the server refuses one, does not answer in time, or cannot be reached.
        """
        return self._checked(commands, await self.exchange(commands))

    async def transaction(self, *commands: Command) -> list[Any]:
        """The responses to commands that are made as one. Raises as `call`."""
        responses = await self.exchange([("MULTI",), *commands, ("EXEC",)])
        _check_has_no_error(responses)
        return self._checked(commands, responses[-1])

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The responses to commands. One that the server refuses has the error of redis-py as its response.

        Raises:
            Error: the server does not answer in time, or cannot be reached.
        """
        self._is_busy = True
        with translated():
            send = partial(self._connection.send_packed_command, check_health=False)
            await self._runtime.with_timeout(self._timeout, send, packed(commands))
            responses = await self._runtime.with_timeout(self._timeout, self._received, len(commands))
        self._is_busy = False
        return responses

    async def _received(self, number: int) -> list[Any]:
        responses = list[Any]()
        for _ in range(number):
            try:
                responses.append(await self._connection.read_response())
            except ResponseError as error:
                responses.append(error)
        return responses

    def _checked(self, commands: Sequence[Command], responses: Any) -> list[Any]:
        """The responses, none of which is an error, and each of which can be one to its command."""
        if isinstance(responses, list) and len(responses) == len(commands):
            _check_has_no_error(responses)
            if all(map(_fits, commands, responses)):
                return responses
        self._is_busy = True  # nobody knows to which command the next response belongs
        raise no_redis()

    def _is_unread(self) -> bool:
        """Whether the server has ended the connection, or sent what nobody has asked for.

        redis-py would take the latter for the response to the next command. No public name says so without waiting.
        Its parser in C (the package hiredis) takes all that has arrived, also what comes after the response.
        """
        return has_unread(self._reader) or (self._parser_in_c is not None and self._parser_in_c.has_data())


def packed(commands: Sequence[Command]) -> list[bytes]:
    """Commands in the form of requests (RESP), as pieces to send."""
    pieces, small = list[bytes](), list[bytes]()
    for command in commands:
        small.append(b"*%d\r\n" % len(command))
        for argument in command:
            value = argument if isinstance(argument, bytes) else str(argument).encode()
            small.append(b"$%d\r\n" % len(value))
            if len(value) > LARGE:
                pieces += (b"".join(small), value)
                small = [b"\r\n"]
            else:
                small += (value, b"\r\n")
    pieces.append(b"".join(small))
    return pieces


def _check_has_no_error(responses: Sequence[Any]) -> None:
    for response in responses:
        if isinstance(response, ResponseError):
            raise meaning_of(response) from response


def _fits(command: Command, response: Any) -> bool:
    """Whether this can be the response to the command."""
    name = command[0]
    if not isinstance(response, _TYPES[name]):
        return False
    return name != "SCAN" or list(map(type, response)) == [bytes, list]


async def connect(runtime: Runtime, config: Redis, tls: Tls) -> RedisSession:
    """Connects and logs in.

    Arguments:
        runtime: waits.
        config: where the server is.
        tls: reads the files of TLS before redis-py does, which takes one that cannot be read for a broken connection,
            and lets OpenSSL ask on the terminal for the password of a key.
    """
    runtime.timeout(None)  # refuses a call outside of a task, which redis-py cannot make
    if not tls.is_ready:
        await tls.prepare()
    with translated():
        connection = _kind(config.address)(  # which reads a file, for its own version
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
        await connection.connect()
    connection.socket_timeout = None  # which would be a timer for each response: `exchange` has one for all
    return RedisSession(runtime, connection, config.idle_timeout)


def new_pool(runtime: Runtime, config: Redis) -> Pool[RedisSession]:
    """Makes the pool of an event loop."""
    files = TlsFiles(config.ca_file, client_certificate=config.client_certificate, client_key=config.client_key)
    return Pool(
        runtime,
        partial(connect, runtime, config, Tls(files)),
        limit=config.connection_pool_max_size,
        patience=config.idle_timeout,
    )


def _kind(address: Address) -> type[Any]:
    if address.socket:
        return UnixDomainSocketConnection
    return SSLConnection if address.is_tls else Connection


def _place(address: Address) -> dict[str, Any]:
    return {"path": address.socket} if address.socket else {"host": address.host, "port": address.port}


def _tls(config: Redis) -> dict[str, Any]:
    return {
        "ssl_ca_certs": config.ca_file,
        "ssl_certfile": config.client_certificate,
        "ssl_keyfile": config.client_key,
        "ssl_cert_reqs": "none" if config.allow_invalid_certificates else "required",
        "ssl_check_hostname": not config.allow_invalid_certificates,
    }
