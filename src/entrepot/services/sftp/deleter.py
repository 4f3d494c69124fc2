"""Deleting files, and trees of directories. Links are deleted, not followed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import IsADirectory, NotFound
from entrepot.raw import OpDelete
from entrepot.raw.file_paths import is_reserved, names_directory, relative_path
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.oio.windowed import gather
from entrepot.raw.temporary_names import is_temporary_name

from .errors import UnexplainedFailure
from .session import Name, SftpSession, is_directory

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease
    from entrepot.raw.runtime import Runtime

IN_FLIGHT: Final = 32
"""Requests to remove files in flight."""


async def delete_path(
    runtime: Runtime,
    take: Callable[[], Awaitable[Lease[SftpSession]]],
    full: Callable[[str], bytes],
    path: str,
    args: OpDelete,
) -> None:
    """Deletes a file or a directory. One that does not exist is deleted already.

    Raises:
        IsADirectory: it is a directory with contents, or a directory whose path has no slash at its end, and the
            deletion is not recursive.
    """
    relative = relative_path(path)
    if is_reserved(relative):
        return
    async with await take() as session:
        try:
            await _delete(runtime, session, full(relative), path, args)
        except NotFound:
            return


async def _delete(runtime: Runtime, session: SftpSession, full: bytes, path: str, args: OpDelete) -> None:
    is_root = relative_path(path) == "."
    if not is_root and not names_directory(path) and not args.recursive:
        await _remove_file(session, full)
        return
    attributes = await session.attributes_of_name(full)
    if is_directory(attributes):
        await _empty(runtime, session, full, args)
        if not is_root:
            await _remove_directory(session, full)
    elif not names_directory(path):
        await session.request(session.client.remove(full))


async def _remove_file(session: SftpSession, path: bytes) -> None:
    try:
        await session.request(session.client.remove(path))
    except UnexplainedFailure as failure:
        if is_directory(await session.attributes_of_name(path)):
            raise IsADirectory("the path names a directory") from failure
        raise


async def _remove_directory(session: SftpSession, path: bytes) -> None:
    try:
        await session.request(session.client.rmdir(path))
    except UnexplainedFailure as failure:
        if await session.names(path):
            raise IsADirectory(NOT_EMPTY) from failure
        raise


async def _empty(runtime: Runtime, session: SftpSession, path: bytes, args: OpDelete) -> None:
    """Deletes what is in a directory: all of it, or temporary files that abandoned writes have left.

    The levels are a list and no recursion, since a path has up to 2,000 names.
    """
    names = await session.names(path)
    if not (args.recursive or all(_is_temporary(name.name) for name in names)):
        raise IsADirectory(NOT_EMPTY)
    levels = [(path, await _without_files(runtime, session, path, names))]
    while levels:
        directory, inner = levels[-1]
        if inner:
            below = inner.pop()
            levels.append((below, await _without_files(runtime, session, below, await session.names(below))))
            continue
        levels.pop()
        if levels:
            await _remove_directory(session, directory)


async def _without_files(runtime: Runtime, session: SftpSession, path: bytes, names: Sequence[Name]) -> list[bytes]:
    """Removes the files among the names in a directory, and returns the directories."""
    directories, files = list[bytes](), list[bytes]()
    for name in names:
        full = path.rstrip(b"/") + b"/" + name.name
        (directories if is_directory(name.attributes) else files).append(full)
    await gather((partial(_remove, session, file) for file in files), runtime.window(IN_FLIGHT), list[None]())
    return directories


async def _remove(session: SftpSession, path: bytes) -> None:
    try:
        await session.request(session.client.remove(path))
    except NotFound:
        return


def _is_temporary(name: bytes) -> bool:
    return is_temporary_name(name.decode(errors="replace"))
