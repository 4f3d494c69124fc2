"""Directories deeper than Python's limit of recursion. They are in memory, since a server takes seconds for them."""

import stat
from collections.abc import Awaitable
from typing import Any, Self, TypeVar, cast

import asyncssh

from entrepot.errors import AlreadyExists, NotFound
from entrepot.raw import OpDelete
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.sftp.deleter import delete_path
from entrepot.services.sftp.publish import make_directories
from entrepot.services.sftp.session import Name, SftpSession

T = TypeVar("T")
DEPTH = 2_000
DIRECTORY = asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o755)


class Memory:
    """The part of a session that makes and deletes directories."""

    def __init__(self) -> None:
        self.directories = {b""}
        self.client = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def request(self, call: Awaitable[T]) -> T:
        return await call

    async def mkdir(self, path: bytes) -> None:
        if path in self.directories:
            raise AlreadyExists("it is there")
        if path.rpartition(b"/")[0] not in self.directories:
            raise NotFound("there is no directory for it")
        self.directories.add(path)

    async def rmdir(self, path: bytes) -> None:
        assert not await self.names(path)
        self.directories.remove(path)

    async def names(self, path: bytes) -> list[Name]:
        below = path + b"/a"  # every name is that one
        return [Name(b"a", DIRECTORY)] if below in self.directories else []

    async def attributes(self, path: bytes) -> asyncssh.SFTPAttrs:
        return DIRECTORY

    attributes_of_name = attributes


async def test_a_directory_is_made_and_deleted_at_any_depth() -> None:
    memory: Any = Memory()

    async def take() -> Any:
        return memory

    await make_directories(cast("SftpSession", memory), b"/a" * DEPTH)
    assert len(memory.directories) == DEPTH + 1
    await delete_path(AsyncioRuntime(), take, lambda path: b"/" + path.encode(), "a/", OpDelete(recursive=True))
    assert memory.directories == {b""}
