"""The webhdfs service."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from functools import partial
from typing import Any, Final

from entrepot.errors import Error, IsADirectory, IsSameFile, NotADirectory, NotFound, ObjectExists, Unexpected
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    OpCreateDir,
    OpDelete,
    OpList,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpCreateDir,
    RpDelete,
    RpList,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.effects import note_doubt
from entrepot.raw.file_paths import check_may_be_made, check_may_exist, file_path, names_directory, relative_path
from entrepot.raw.http.arrived_body import ArrivedBody
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.transport import HttpHeaders, HttpResponse
from entrepot.raw.path import get_parent
from entrepot.raw.runtime import Window
from entrepot.types import BytesRange, Capability, Metadata, Scheme

from .cluster import Cluster
from .core import FileStatus, check_path
from .deletions import WebhdfsDeleter, delete_in_root, delete_path
from .lister import Listings
from .upload import WebhdfsUpload, rename

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    write=True,
    write_can_empty=True,
    write_with_append=True,
    write_with_if_not_exists=True,
    create_dir=True,
    delete=True,
    delete_with_recursive=True,
    list=True,
    rename=True,
    rename_with_if_not_exists=True,
    shared=True,
)

PART: Final = 64 * 1024 * 1024
"""The bytes of a part, unless `chunk` says otherwise. Each is a block of its own, and a namenode knows every block."""

DEFAULT_CONCURRENT: Final = 2
"""The parts in flight, unless `concurrent` says otherwise."""

_ATTEMPTS: Final = 16
_MAX_PARTS: Final = 1000
_UNBOUNDED: Final = 1 << 50


class WebhdfsAccessor(Accessor):
    """Files in HDFS.

    Arguments:
        cluster: makes the calls.
        root: the directory that paths are relative to, normalized.
        name: the host.
        lists_in_batches: whether directories are listed in batches, if the server has them.
    """

    def __init__(self, cluster: Cluster, root: str, name: str, *, lists_in_batches: bool) -> None:
        self.info = AccessorInfo(scheme=Scheme.WEBHDFS, root=root, name=name, native_capability=CAPABILITY)
        self._cluster = cluster
        self._listings = Listings(cluster, in_batches=lists_in_batches)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        there = self._existing(relative_path(path))
        status = await self._cluster.find(there)
        if names_directory(path) and not status.is_directory:
            raise NotFound("there is no such directory: a file has the name")
        check_conditions(status.metadata, args)
        return RpStat(metadata=status.metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        there = self._existing(file_path(path))
        known = list[FileStatus]()

        async def send() -> HttpResponse:
            return await self._open(there, args.range, known)

        def describe(headers: HttpHeaders, size: int | None) -> Metadata:
            return known[0].metadata

        result = RpRead()
        return result, HttpReader(send, args.range, describe, result)

    async def _open(self, there: str, requested: BytesRange, known: MutableSequence[FileStatus]) -> HttpResponse:
        """The response with a range of a file.

        The file may be replaced after its status was asked for. If the range reaches to the end, the length of the
        response shows it, and the status is asked for again. If that is still of the same file, another client appends
        to it, and the range ends where the status says.

        Arguments:
            there: the path in HDFS.
            requested: the range.
            known: receives the status that the response is about.
        """
        before = list[int | None]()
        for _ in range(_ATTEMPTS):
            status = await self._cluster.find(there)
            known[:] = [status]
            if status.is_directory:
                raise IsADirectory("the path names a directory")
            start, end = requested.resolve(status.length)
            if start == end:
                return HttpResponse(416, HttpHeaders([("Content-Range", f"bytes */{start}")]), ArrivedBody(b""))
            grows = status.number is not None and status.number in before
            is_open = end == status.length and not grows
            before = [status.number]
            response = await self._cluster.open(self._cluster.dialect.open(there, start, None if is_open else end))
            length = parse_length(response.headers.get("content-length"))
            if not is_open or length in (None, end - start):
                return _placed(response, start, end, status.length)
            await response.body.close()
        raise Unexpected("the file changes while it is opened", is_temporary=True)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        target = self._new(file_path(path))
        if args.append and not args.if_not_exists:
            find_end, append = partial(self._end, target), partial(self._append, target)
            return RpWrite(), oio.AppendWriter(find_end, append, args.chunk or PART, in_pieces=True)
        window: Window[Any] = self._cluster.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return RpWrite(), oio.MultipartWriter(
            WebhdfsUpload(self._cluster, target, args), _part_sizes(target, args), window
        )

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        try:
            await self._cluster.ask(self._cluster.dialect.make_directory(self._new(relative_path(path))))
        except ObjectExists:
            raise NotADirectory("a file has the name of the directory") from None
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), WebhdfsDeleter(self._delete_one)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        prefix = "" if path == "/" else path
        try:
            there = self._existing(relative_path(path))
        except NotFound:
            return RpList(), oio.PageLister(_nothing)
        return RpList(), oio.PageLister(partial(self._listings.page, there, prefix))

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        old, new = self._existing(file_path(source)), self._new(file_path(target))
        if old == new:
            raise IsSameFile("source and target are the same")
        await self._check_is_file(old, "the source is a directory")
        existing = await self._cluster.look(new)
        if existing is not None and existing.is_directory:
            raise IsADirectory("the target is a directory")
        if existing is None:
            await self._cluster.ask(self._cluster.dialect.make_directory(get_parent(new).rstrip("/") or "/"))
        try:
            await rename(self._cluster, old, new, replaces=not args.if_not_exists)
        except Error as error:
            raise note_doubt(error) from None
        return RpRename()

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        relative = relative_path(path)
        check_path(relative)
        if relative == ".":
            await delete_in_root(self._cluster, self._listings, self._path("."), args)
        else:
            await delete_path(self._cluster, self._listings, path, self._path(relative), args)

    async def _check_is_file(self, path: str, message: str) -> None:
        if (await self._cluster.find(path)).is_directory:
            raise IsADirectory(message)

    async def _end(self, path: str) -> int:
        """The length of the file that is appended to."""
        status = await self._cluster.look(path)
        if status is not None and status.is_directory:
            raise IsADirectory("the path names a directory")
        return 0 if status is None else status.length

    async def _append(self, path: str, offset: int, pieces: Sequence[bytes]) -> Metadata:
        if offset == 0 and await self._cluster.look(path) is None:
            try:
                await self._cluster.send(self._cluster.dialect.create_new(path), tuple(pieces))
            except ObjectExists:  # another client has made it in the meantime
                await self._cluster.send(self._cluster.dialect.append(path), tuple(pieces))
        elif pieces:
            await self._cluster.send(self._cluster.dialect.append(path), tuple(pieces))
        return Metadata(content_length=offset + sum(len(piece) for piece in pieces))

    def _path(self, relative: str) -> str:
        """The absolute path in HDFS, without a slash at its end."""
        return self.info.root.rstrip("/") or "/" if relative == "." else self.info.root + relative

    def _existing(self, relative: str) -> str:
        check_path(relative)
        check_may_exist(relative)
        return self._path(relative)

    def _new(self, relative: str) -> str:
        check_path(relative)
        check_may_be_made(relative)
        return self._path(relative)


def _placed(response: HttpResponse, start: int, end: int, size: int) -> HttpResponse:
    """The response with the header that says which part of the file it has. HDFS does not state it."""
    stated = [item for item in response.headers.items() if item[0] == "content-length"]
    headers = HttpHeaders([*stated, ("Content-Range", f"bytes {start}-{end - 1}/{size}")])
    return HttpResponse(response.status, headers, response.body, response.url)


def _part_sizes(target: str, args: OpWrite) -> oio.PartSizes:
    """CONCAT separates its sources by commas, so a path with one takes the whole content in one part."""
    chunk = _UNBOUNDED if "," in target else args.chunk or PART
    sized = OpWrite(chunk=chunk, content_length_hint=args.content_length_hint)
    return oio.PartSizes(CAPABILITY, sized, max_parts=_MAX_PARTS)


async def _nothing(token: str | None) -> oio.Page:
    return oio.Page([], None)
