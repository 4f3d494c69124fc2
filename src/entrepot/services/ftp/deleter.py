"""Deleting files, and trees of directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.errors import Error, IsADirectory
from entrepot.raw import OpDelete
from entrepot.raw.file_paths import names_directory
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.temporary_names import is_temporary_name

from .files import denied, lines_of, stat_if_exists
from .replies import refusal

if TYPE_CHECKING:
    from .session import FtpSession


async def delete_path(session: FtpSession, full: str, path: str, args: OpDelete, *, is_root: bool) -> None:
    """Deletes a file or a directory. One that does not exist is deleted already.

    Arguments:
        session: the session.
        full: the path on the server.
        path: the path of the call; with a slash at its end it names only a directory.
        args: whether a directory is deleted with its contents.
        is_root: whether it is the root, which is emptied and stays.

    Raises:
        IsADirectory: it is a directory with contents, or a directory whose path has no slash at its end, and the
            deletion is not recursive.
    """
    if is_root:
        await _empty(session, full, is_recursive=args.recursive)
    elif names_directory(path):
        metadata = await stat_if_exists(session, full)
        if metadata is not None and metadata.is_dir:
            await _remove_directory(session, full, is_recursive=args.recursive)
    elif (refused := await _remove_file(session, full)) is not None:
        metadata = await stat_if_exists(session, full)
        if metadata is None:
            return
        if not metadata.is_dir:
            raise denied(refused)
        if not args.recursive:
            raise IsADirectory("the path names a directory")
        await _remove_directory(session, full, is_recursive=True)


async def _remove_file(session: FtpSession, full: str) -> Error | None:
    """Removes a file. Returns the refusal, which says nothing of its reason."""
    reply = await session.command("DELE", full)
    return None if reply.is_success else refusal(reply, "DELE")


async def _remove_directory(session: FtpSession, full: str, *, is_recursive: bool) -> None:
    """Removes a directory. A link to one is removed itself: only a link is taken by DELE."""
    if await _remove_file(session, full) is None:
        return
    await _empty(session, full, is_recursive=is_recursive)
    await _remove_emptied(session, full)


async def _remove_emptied(session: FtpSession, full: str) -> None:
    reply = await session.command("RMD", full)
    if reply.is_success or await stat_if_exists(session, full) is None:
        return
    raise IsADirectory(NOT_EMPTY) if await lines_of(session, full) else denied(refusal(reply, "RMD"))


async def _empty(session: FtpSession, full: str, *, is_recursive: bool) -> None:
    """Deletes what is in a directory: all of it, or temporary files that abandoned writes have left.

    The levels are a list and no recursion, since a path has up to 2,000 names.
    """
    levels = [(full, await _without_files(session, full, is_recursive=is_recursive))]
    while levels:
        directory, inner = levels[-1]
        if inner:
            below = inner.pop()
            if await _remove_file(session, below) is not None:
                levels.append((below, await _without_files(session, below, is_recursive=True)))
            continue
        levels.pop()
        if levels:
            await _remove_emptied(session, directory)


async def _without_files(session: FtpSession, full: str, *, is_recursive: bool) -> list[str]:
    """Removes the files in a directory, and returns the directories.

    Raises:
        IsADirectory: the deletion is not recursive, and there is more than temporary files.
    """
    lines = await lines_of(session, full) or []
    names = [line.name.decode("utf-8", "surrogateescape") for line in lines]
    if not (is_recursive or all(map(is_temporary_name, names))):
        raise IsADirectory(NOT_EMPTY)
    directories = list[str]()
    for name, line in zip(names, lines, strict=True):
        path = f"{full.rstrip('/')}/{name}"
        if line.metadata.is_dir:
            directories.append(path)
            continue
        refused = await _remove_file(session, path)
        if refused is not None and await stat_if_exists(session, path) is not None:
            raise denied(refused)
    return directories
