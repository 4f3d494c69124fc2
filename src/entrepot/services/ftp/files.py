"""What a path leads to, and directories: found out by commands, since the reply 550 says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.errors import (
    AlreadyExists,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    PermissionDenied,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.headers import parse_length
from entrepot.raw.path import get_parent
from entrepot.types import EntryMode, Metadata
from entrepot.types.records import replace

from .listing import Line, parse_facts, parse_list, parse_mlsd, parse_time
from .replies import Refused, refusal

if TYPE_CHECKING:
    from .session import FtpSession

_DIRECTORY = Metadata(mode=EntryMode.DIR)


async def stat(session: FtpSession, path: str) -> Metadata:
    """The metadata of a file or a directory.

    Raises:
        NotFound: there is none, or this login may not see it.
    """
    if "MLST" not in session.features:
        return await _stat_by_size(session, path)
    reply = await session.command("MLST", path)
    if not reply.is_success:
        raise _missing(refusal(reply, "MLST"))
    if len(reply.lines) < 2:
        raise Unexpected("the reply to MLST has no line of facts")
    metadata = parse_facts(reply.lines[1].lstrip().partition(" ")[0])
    if metadata.is_file and metadata.content_length is None:  # no fact is required (RFC 3659, 7.5)
        return replace(metadata, content_length=await _size(session, path))
    return metadata


async def stat_if_exists(session: FtpSession, path: str) -> Metadata | None:
    """The same; None if there is none."""
    try:
        return await stat(session, path)
    except NotFound:
        return None


async def _stat_by_size(session: FtpSession, path: str) -> Metadata:
    """The same by SIZE and MDTM, which only files have, and CWD, which only directories take."""
    length = await _size(session, path)
    if length is not None:
        time = await session.command("MDTM", path)
        modified = parse_time(time.lines[-1]) if time.is_success else None
        return Metadata(content_length=length, last_modified=modified)
    reply = await session.command("CWD", path)
    if not reply.is_success:
        raise _missing(refusal(reply, "CWD"))
    return _DIRECTORY


async def _size(session: FtpSession, path: str) -> int | None:
    """The bytes of a file; None if the server does not state them."""
    reply = await session.command("SIZE", path)
    return parse_length(reply.lines[-1].strip()) if reply.is_success else None


def _missing(error: Error) -> Error:
    """The error of a question about a path: a refusal means that there is nothing."""
    return NotFound("the file does not exist") if isinstance(error, Refused | InvalidInput) else error


async def lines_of(session: FtpSession, directory: str) -> list[Line] | None:
    """The names in a directory; None if there is no such directory.

    Raises:
        PermissionDenied: it may not be listed.
    """
    try:
        if "MLST" in session.features:
            return parse_mlsd(await (await session.transfer("MLSD", directory)).read_all())
        await session.ask("CWD", directory)  # an argument of LIST could be taken as a pattern or as options
        return parse_list(await (await session.transfer("LIST", "-a")).read_all())
    except (Refused, InvalidInput) as error:
        metadata = await stat_if_exists(session, directory)
        if metadata is None or not metadata.is_dir:
            return None
        raise PermissionDenied("the server refuses to list the directory") from error


async def make_directories(session: FtpSession, path: str) -> None:
    """Makes a directory and its missing parents, which others may make at the same time.

    Raises:
        NotADirectory: the path, or a part of it, names a file.
        PermissionDenied: the server refuses to make it.
    """
    missing = list[str]()  # not by recursion: a path has up to 2,000 names
    while (refused := await _make_directory(session, path)) is not None:
        missing.append(path)
        path = get_parent(path).rstrip("/")
        if not path:
            raise denied(refused)
    for below in reversed(missing):  # what is above it was missing, or was until just now, or is no reason
        if (refused := await _make_directory(session, below)) is not None:
            raise denied(refused)


async def _make_directory(session: FtpSession, path: str) -> Error | None:
    """Makes a directory, unless it is there. Returns the refusal, which says nothing of its reason."""
    reply = await session.command("MKD", path)
    if reply.is_success:
        return None
    metadata = await stat_if_exists(session, path)
    if metadata is None:
        return refusal(reply, "MKD")
    if not metadata.is_dir:
        raise NotADirectory("the path, or a part of it, names a file")
    return None


async def move(session: FtpSession, source: str, target: str) -> None:
    """Gives a file another name, over a file that has it, if the server replaces files.

    Raises:
        NotFound: the source does not exist.
        IsADirectory: the target is a directory.
        AlreadyExists: the target exists, and the server does not replace it.
    """
    reply = await session.command("RNFR", source)
    if reply.code // 100 != 3:
        raise await _why_not_moved(session, source, refusal(reply, "RNFR"))
    reply = await session.command("RNTO", target)
    if not reply.is_success:
        raise await _why_not_taken(session, target, refusal(reply, "RNTO"))


async def _why_not_moved(session: FtpSession, source: str, error: Error) -> Error:
    if not isinstance(error, Refused):
        return error
    if await stat_if_exists(session, source) is None:
        return NotFound("the file does not exist")
    return denied(error)


async def _why_not_taken(session: FtpSession, target: str, error: Error) -> Error:
    if not isinstance(error, Refused | InvalidInput):
        return error
    metadata = await stat_if_exists(session, target)
    if metadata is None:
        return error if isinstance(error, InvalidInput) else denied(error)
    if metadata.is_dir:
        return IsADirectory("the path names a directory")
    return AlreadyExists("the server does not replace a file by another one: delete it first")


def denied(error: Error) -> Error:
    """The error of a refusal where the path leaves only the permission as its cause."""
    if not isinstance(error, Refused):
        return error
    refused = PermissionDenied("the server does not permit it", context=error.context)
    refused.__cause__ = error
    return refused


def check_is_file(metadata: Metadata) -> None:
    """Checks that a path names a regular file.

    Raises:
        IsADirectory: it names a directory.
        Unsupported: it names something else.
    """
    if metadata.is_dir:
        raise IsADirectory("the path names a directory")
    if not metadata.is_file:
        raise Unsupported("the path names something that is neither a file nor a directory")
