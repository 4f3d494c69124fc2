"""`SftpSession`: one SSH connection with one channel of SFTP, whose requests any number of tasks make at a time."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

import asyncssh

from entrepot.errors import Error
from entrepot.types import EntryMode, Metadata

from .errors import is_loss, of_request

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime, Window

T = TypeVar("T")

CHECK_SECONDS: Final = 10.0
"""Seconds in which a session that is checked must answer."""

CLOSE_SECONDS: Final = 2.0
"""Seconds in which the end of a connection is waited for."""


class Name(NamedTuple):
    """A name in a directory.

    Arguments:
        name: the name, as the server stores it.
        attributes: the attributes of what has the name, which may be a link.
    """

    name: bytes
    attributes: asyncssh.SFTPAttrs


class SftpSession:
    """Makes requests, and translates their errors.

    A request that is cancelled does no harm to the others: its response is dropped when it comes. But the cause may be
    a server that does not answer, so the session is then checked before its next use. If the response is a handle, the
    request goes on and the handle is closed, else the server would keep the file open as long as the session.

    Attributes:
        client: makes the requests of `asyncssh`. Names are bytes.
    """

    def __init__(self, runtime: Runtime, connection: asyncssh.SSHClientConnection, client: asyncssh.SFTPClient) -> None:
        self.client = client
        self._runtime = runtime
        self._connection = connection
        self._is_lost = False
        self._is_doubtful = False
        self._late: set[Window[Any]] = set()  # what was opened, or will be, for callers who have left

    @property
    def is_usable(self) -> bool:
        return not self._is_lost and not self._connection.is_closed()

    @property
    def is_doubtful(self) -> bool:
        return self._is_doubtful

    @property
    def block(self) -> int:
        """The most bytes of one request to read or write."""
        limits = self.client.limits
        return min(limits.max_read_len, limits.max_write_len)

    async def check(self) -> bool:
        try:
            await self._runtime.with_timeout(CHECK_SECONDS, self.request, self.client.stat(b"."))
        except TimeoutError:
            return False
        except Error:
            return self.is_usable
        self._is_doubtful = False
        return True

    def close(self) -> None:
        self._is_lost = True
        self._connection.close()

    async def wait_closed(self) -> None:
        try:
            await self._runtime.with_timeout(CLOSE_SECONDS, self._connection.wait_closed)
        except TimeoutError:
            self._connection.abort()
        for opening in list(self._late):
            await opening.close()
        await self._runtime.sleep(0)  # asyncssh closes the socket by a callback of its own

    async def request(self, call: Awaitable[T]) -> T:
        """Waits for a request of `client`, or of one of its files.

        Raises:
            Error: what the server reports. Temporary if the connection was lost.
        """
        try:
            return await call
        except (asyncssh.Error, OSError, EOFError) as error:
            self._is_lost = self._is_lost or is_loss(error)
            raise of_request(error) from error
        except BaseException:
            self._is_doubtful = True
            raise

    async def open(self, path: bytes, flags: int, permissions: int | None = None) -> asyncssh.SFTPClientFile:
        """Opens a file for requests of up to `block` bytes, each of which is sent as it is."""
        attributes = asyncssh.SFTPAttrs(permissions=permissions) if permissions is not None else asyncssh.SFTPAttrs()
        call = partial(self.client.open, path, flags, attributes, encoding=None, block_size=0)
        return await self._open(call, asyncssh.SFTPClientFile.close)

    async def attributes(self, path: bytes) -> asyncssh.SFTPAttrs:
        """The attributes of a file. A link is followed."""
        return await self.request(self.client.stat(path))

    async def attributes_of_name(self, path: bytes) -> asyncssh.SFTPAttrs:
        """The attributes of a file, or of the link itself."""
        return await self.request(self.client.lstat(path))

    async def names(self, path: bytes) -> list[Name]:
        """The names in a directory but `.` and `..`, with the attributes of the links themselves."""
        directory = await self._open(partial(_Directory.open, self.client, path), _Directory.close)
        return await self.request(directory.names())

    async def _open(self, call: Callable[[], Awaitable[T]], close: Callable[[T], Awaitable[None]]) -> T:
        """Makes a request for a handle. If the caller is cancelled, it is closed when it comes."""
        opening: Window[Any] = self._runtime.window(2)
        opening.spawn(call)
        try:
            opened: T = await self.request(opening.take())
        except BaseException:
            if len(opening):  # the response is still to come
                self._late.add(opening)
                opening.spawn(partial(self._close_late, opening, close))
            raise
        return opened

    async def _close_late(self, opening: Window[Any], close: Callable[[T], Awaitable[None]]) -> None:
        try:
            await close(await opening.take())
        except (asyncssh.Error, OSError, EOFError) as error:
            self._is_lost = self._is_lost or is_loss(error)
        finally:
            self._late.discard(opening)


class _Directory:
    """An open directory.

    Arguments:
        rest: the names in it after the first one.
        first: the first one; None if there is none.
    """

    def __init__(self, rest: AsyncGenerator[asyncssh.SFTPName], first: asyncssh.SFTPName | None) -> None:
        self._rest = rest
        self._first = first

    @classmethod
    async def open(cls, client: asyncssh.SFTPClient, path: bytes) -> Self:
        """Opens a directory. `asyncssh` does so when it is asked for the first name."""
        names = client.scandir(path)
        assert isinstance(names, AsyncGenerator)  # so that it can be closed
        return cls(names, await anext(names, None))

    async def names(self) -> list[Name]:
        """The names but `.` and `..`. It is closed then."""
        names = [] if self._first is None else [self._first]
        names += [name async for name in self._rest]
        return [Name(_bytes_of(name.filename), name.attrs) for name in names if name.filename not in {b".", b".."}]

    async def close(self) -> None:
        """Closes it before its end."""
        await self._rest.aclose()


def _bytes_of(name: bytes | str) -> bytes:
    return name if isinstance(name, bytes) else name.encode()


def is_directory(attributes: asyncssh.SFTPAttrs) -> bool:
    """Whether these are attributes of a directory."""
    return stat.S_ISDIR(attributes.permissions or 0)


def is_link(attributes: asyncssh.SFTPAttrs) -> bool:
    """Whether these are attributes of a symbolic link."""
    return stat.S_ISLNK(attributes.permissions or 0)


def metadata_of(attributes: asyncssh.SFTPAttrs) -> Metadata:
    """The metadata of a file. SFTP has times in whole seconds, and no etag."""
    mode = _mode(attributes)
    return Metadata(
        mode=mode,
        content_length=attributes.size if mode is EntryMode.FILE else None,
        last_modified=None if attributes.mtime is None else datetime.fromtimestamp(attributes.mtime, UTC),
    )


def _mode(attributes: asyncssh.SFTPAttrs) -> EntryMode:
    if is_directory(attributes):
        return EntryMode.DIR
    kind = stat.S_IFMT(attributes.permissions or 0)
    return EntryMode.FILE if kind in {0, stat.S_IFREG} else EntryMode.UNKNOWN
