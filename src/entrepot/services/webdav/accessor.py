"""The webdav service."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from functools import partial
from typing import Final

from entrepot.errors import ConfigInvalid, IsADirectory, IsSameFile, NotFound, PermissionDenied, Unexpected
from entrepot.raw import (
    AccessorInfo,
    OpCopy,
    OpCreateDir,
    OpList,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpCopy,
    RpCreateDir,
    RpList,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    WholeRead,
    is_dir_path,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import ObjectArgs
from entrepot.raw.http.failures import NO_TLS
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.store import HttpStore
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.types import Capability, Scheme

from .core import WebdavDialect
from .deletions import WebdavDeletions
from .lister import PAGE, Children
from .names import check_may_be_made, check_may_exist
from .publication import FilePublication, FileWriter
from .transfer import copy_file, move_file
from .tree import Tree

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
    write_can_empty=True,
    write_with_user_metadata=True,
    write_with_if_match=True,
    write_with_if_not_exists=True,
    create_dir=True,
    delete=True,
    delete_with_if_match=True,
    delete_with_recursive=True,
    list=True,
    copy=True,
    copy_with_if_not_exists=True,
    rename=True,
    rename_with_if_not_exists=True,
    shared=True,
)

UNCONDITIONAL: Final = replace(
    CAPABILITY,
    read_with_if_match=False,
    read_with_if_none_match=False,
    read_with_if_modified_since=False,
    read_with_if_unmodified_since=False,
)
"""Of a server that fails on the conditions of a GET."""

_MAY_BE_DIRECTORY: Final = frozenset({403, 404, 405, 409, 501})
"""The statuses with which servers refuse to send a directory as if it were a file."""


_HINT: Final = "if it has plain HTTP only, write dav:// in place of webdav:// or davs://, or http:// in the endpoint"
"""What to do about a server without TLS: the scheme of a URI does not show that it means https."""


class WebdavClient(HttpClient[WebdavDialect]):
    """Sends requests to a WebDAV server. A page that describes a directory to people is refused as its content."""

    __slots__ = ()

    async def _send(
        self, request: HttpRequest, expected: Container[int], args: ObjectArgs | None, *, is_content: bool = False
    ) -> HttpResponse:
        try:
            return await super()._send(request, expected, args, is_content=is_content)
        except ConfigInvalid as error:
            if error.context.get("hint") == NO_TLS.hint:
                error.context["hint"] = _HINT
            raise

    async def open(self, request: HttpRequest, args: ObjectArgs) -> HttpResponse:
        try:
            response = await super().open(request, args)
        except (NotFound, PermissionDenied, Unexpected) as error:
            if error.context.get("status") in _MAY_BE_DIRECTORY and await self._is_directory(request):
                raise IsADirectory("the path names a directory") from None
            raise
        was_redirected = response.url not in ("", request.url)
        is_described = "etag" in response.headers or "last-modified" in response.headers
        if was_redirected and response.url == f"{request.url}/":
            is_directory = True
        else:
            is_directory = not (is_described or response.status == 416) and await self._is_directory(request)
        if is_directory:
            await response.body.close()
            raise IsADirectory("the path names a directory")
        return response

    async def _is_directory(self, request: HttpRequest) -> bool:
        key = self.dialect.key_of(request.url)
        found = await Tree(self, makes_parents=False).look(key)
        return found is not None and found.is_directory


class WebdavAccessor(HttpStore[WebdavDialect]):
    """Files on a WebDAV server.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        name: the host.
        is_direct: whether content is sent to the target itself, and not to a temporary name.
        makes_parents: whether missing directories above a new file are made.
        reads_conditionally: whether a GET can have conditions.
    """

    def __init__(
        self,
        client: WebdavClient,
        root: str,
        name: str,
        *,
        is_direct: bool = False,
        makes_parents: bool = True,
        reads_conditionally: bool = True,
    ) -> None:
        capability = CAPABILITY if reads_conditionally else UNCONDITIONAL
        info = AccessorInfo(
            scheme=Scheme.WEBDAV,
            root=root,
            name=name,
            native_capability=capability,
            reads_describe_all=False,  # a GET has no properties, and user metadata is one
        )
        self._tree = Tree(client, makes_parents=makes_parents)
        super().__init__(info, client, WebdavDeletions(client, self._tree, root))
        self._is_direct = is_direct

    async def stat(self, path: str, args: OpStat) -> RpStat:
        key = self._key(path)
        check_may_exist(key)
        found = await self._tree.find(key, has_user_metadata=True)
        if is_dir_path(path) and not found.is_directory:
            raise NotFound("there is no such directory: a file has the name")
        metadata = found.metadata(self._dialect.namespace)
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        self._check_is_file(path)
        return await super().read(path, args)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        self._check_is_file(path)
        return await super().read_whole(path, args, described)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        publication = FilePublication(self._client, self._tree, self._key(path), args, is_direct=self._is_direct)
        return RpWrite(), FileWriter(publication)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        key = self._key(path)
        check_may_be_made(key)
        await self._tree.make_directory(key)
        return RpCreateDir()

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return RpList(), Children(self._dialect, self._tree, self.info.root, path, args.limit or PAGE)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        old, new = self._two_keys(source, target)
        return RpCopy(), oio.OneShotCopier(
            partial(copy_file, self._client, self._tree, old, new, is_new=args.if_not_exists)
        )

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        old, new = self._two_keys(source, target)
        await move_file(self._client, self._tree, old, new, is_new=args.if_not_exists)
        return RpRename()

    def _check_is_file(self, path: str) -> None:
        check_may_exist(self._key(path))
        if is_dir_path(path):
            raise IsADirectory("the path names a directory")

    def _two_keys(self, source: str, target: str) -> tuple[str, str]:
        """Returns both as keys, and checks that the target may be made."""
        old, new = self._key(source), self._key(target)
        check_may_exist(old)
        check_may_be_made(new)
        if old == new:
            raise IsSameFile("source and target are the same")
        return old, new
