"""Lists a directory by PROPFIND, one level deep.

Theory of operation. WebDAV has no pages: the response has the whole directory, in the order of the server. It is parsed
as it arrives, so that the memory holds one page of it and the names so far. If the response breaks off, the next verb
sends the request again and leaves out the names that it has returned before.

A response may state a status in place of the properties of a resource. One that says that the resource is gone leaves
nothing out; any other may hide a file, so `left_out` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from entrepot.errors import NotFound, Unexpected
from entrepot.raw.http.errors import status_error
from entrepot.raw.http.transport import HttpHeaders, HttpResponse
from entrepot.raw.oio.list.api import LeftOut, List, left_out_names
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.path import build_abs_path, build_rel_path
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.types import Entry

from .core import WebdavDialect
from .multistatus import MultiStatus, read_piece
from .names import check_may_exist
from .resource import Resource
from .tree import Tree

PAGE: Final = 1000
"""The entries of a page, at least, unless the directory has fewer."""

_GONE: Final = frozenset({404, 410})


class Children(List):
    """The entries of a directory, itself included. A file, and what does not exist, has none.

    Arguments:
        dialect: builds the request.
        tree: sends it.
        root: the prefix of every key, normalized.
        path: the directory, with a slash at its end.
        page: the entries of a page, at least.
        with_temporary: whether temporary files are entries too.
    """

    __slots__ = (
        *("_dialect", "_directory", "_document", "_is_closed", "_is_done", "_key", "_page", "_path", "_refused"),
        *("_response", "_root", "_seen", "_tree", "_unnamed", "_with_temporary"),
    )

    def __init__(
        self,
        dialect: WebdavDialect,
        tree: Tree,
        root: str,
        path: str,
        page: int = PAGE,
        *,
        with_temporary: bool = False,
    ) -> None:
        self._dialect = dialect
        self._tree = tree
        self._root = root
        self._directory = path
        self._key = build_abs_path(root, path)
        self._path = dialect.path_of(self._key)
        self._page = page
        self._with_temporary = with_temporary
        self._response: HttpResponse | None = None
        self._document = MultiStatus()
        self._seen: set[str] = set()
        self._unnamed: dict[str, None] = {}  # an ordered set
        self._refused: list[LeftOut] = []
        self._is_done = False
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        """Returns the next entries.

        Raises:
            Unexpected: the response names no resource in the directory.
        """
        check_not_closed(self._is_closed)
        while not self._is_done:
            try:
                if entries := await self._read_page():
                    return entries
            except BaseException:
                await self._drop()
                raise
        return None

    def left_out(self) -> Sequence[LeftOut]:
        if not self._unnamed:
            return tuple(self._refused)
        return *self._refused, left_out_names(self._directory, next(iter(self._unnamed)), len(self._unnamed))

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _drop(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.body.close()

    async def _read_page(self) -> Sequence[Entry]:
        if self._response is None:
            try:
                check_may_exist(self._key)
                self._response = await self._tree.open(self._key, self._dialect.find(self._key, depth=1))
            except NotFound:
                self._is_done = True
                return ()
            self._document = MultiStatus()
        document, response = self._document, self._response
        is_more = True
        while is_more and len(document.resources) < self._page:
            is_more = await read_piece(document, response.body)
        resources, document.resources = document.resources, []
        entries = list(self._entries(resources))
        if not is_more:
            if resources and not self._seen:
                raise Unexpected("the response names nothing in the directory: a proxy may change the server's paths")
            self._is_done = True
            await self._drop()
        return entries

    def _entries(self, resources: Iterable[Resource]) -> Iterator[Entry]:
        for resource in resources:
            key = self._key_of(resource)
            if key is None or key in self._seen:
                continue
            self._seen.add(key)
            is_file_itself = key == self._key and not resource.is_directory  # it has the name of the directory
            is_hidden = not self._with_temporary and is_temporary_name(resource.name)
            if resource.status >= 300 and not is_hidden:
                self._note_refused(resource)
            elif resource.status < 300 and not is_hidden and not is_file_itself:
                yield Entry(build_rel_path(self._root, key), resource.metadata())

    def _note_refused(self, resource: Resource) -> None:
        if resource.status not in _GONE:
            error = status_error(resource.status, HttpHeaders(())).add_context(name=resource.name)
            self._refused.append(LeftOut(self._directory, error))

    def _key_of(self, resource: Resource) -> str | None:
        """The key of a resource in the directory, or of the directory; None for any other.

        A name that holds an encoded slash, and `.` or `..`, are left out: no path can name them, and `left_out` does.
        """
        path, name = resource.decoded_path, resource.name
        if path == self._path:
            return self._key
        above = path[: -len(name)].rstrip("/") if name else ""
        if not name or above != self._path:
            return None
        if "/" in name or name in (".", ".."):
            self._unnamed[name] = None
            return None
        return f"{self._key}{name}{'/' if resource.is_directory else ''}"
