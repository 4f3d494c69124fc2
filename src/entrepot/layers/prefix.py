"""Makes a directory the root of an operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, TypeVarTuple

from entrepot.errors import DeletionsFailed, Error, InvalidInput, NotFound
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    Operation,
    OpList,
    OpListUploads,
    OpRead,
    OpStat,
    OpWrite,
    RpList,
    RpListUploads,
    RpRead,
    RpStat,
    WholeRead,
    WholeWrite,
    is_dir_path,
    normalize_path,
    oio,
)
from entrepot.types import Entry

from .always.complete.directories import stat_root

T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclass(frozen=True)
class PrefixLayer(Layer):
    """Makes a directory the root: every path is below it, and returned paths are relative to it.

    `op.at("dir/")` adds this layer. The directory need not exist: the root always exists, and the first write creates
    it. No path leads out of it: a path that would if `..` were resolved is refused on every service, even where `..` is
    an ordinary name, because some servers resolve it. On fs, a symbolic link below it that leads elsewhere below the
    root of the configuration is followed.

    Arguments:
        prefix: the directory, with a trailing slash; `"/"` changes nothing.

    Raises:
        InvalidInput: the prefix has no trailing slash, or cannot be a path.
    """

    WORKS_WITHOUT_LOOP = True

    prefix: str

    def __post_init__(self) -> None:
        prefix = normalize_path(self.prefix)
        if not (is_dir_path(prefix) and str(self.prefix)):
            raise InvalidInput("the prefix is not a directory: end it with a slash")
        object.__setattr__(self, "prefix", prefix)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return accessor if self.prefix == "/" else _PrefixAccessor(accessor, self.prefix)


class _PrefixAccessor(AroundAccessor):
    reads_into = True

    def __init__(self, inner: Accessor, prefix: str) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, root=inner.info.root + prefix)
        self._prefix = prefix

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        arguments: Any = [self._below(arg) if isinstance(arg, str) else arg for arg in args]  # each string is a path
        try:
            return await call(*arguments)
        except Error as error:
            self._make_relative(error, path or None)
            raise

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.around(Operation.READ, path, self.inner.read_whole, path, args, described)
        return content if isinstance(content, bytes) else self.around_reader(path, *content)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self.around(Operation.WRITE, path, self.inner.write_whole, path, data, args)
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored

    async def stat(self, path: str, args: OpStat) -> RpStat:
        try:
            return await super().stat(path, args)
        except NotFound:
            if path != "/":
                raise
            return stat_root(args)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        if args.start_after is not None:
            args = replace(args, start_after=self._below(args.start_after))
        reply, entries = await super().list(path, args)
        body: oio.List = _RelativeLister(entries, self._prefix, self.relative)
        if path == "/" and args.start_after is None:
            body = oio.SelfEntryLister(body, path, keeps_versions=args.versions or args.deleted)
        return reply, body

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        reply = await super().list_uploads(path, args)
        relative = ((self.relative(upload.path), upload) for upload in reply.uploads)
        return replace(reply, uploads=[replace(upload, path=path) for path, upload in relative if path is not None])

    def relative(self, path: str) -> str | None:
        """A path relative to the prefix; None if no path leads to it from there."""
        if not path.startswith(self._prefix):
            return None
        relative = path[len(self._prefix) :]
        return None if relative.startswith("/") or _leads_out(relative) else relative or "/"

    def _below(self, path: str) -> str:
        if _leads_out(path):
            raise InvalidInput("the path leads out of the directory by '..'", scheme=self.info.scheme, path=path)
        return self._prefix if path == "/" else self._prefix + path

    def _make_relative(self, error: Error, called: str | None) -> None:
        """Makes the paths in an error relative. A path outside of the prefix becomes the path of the call."""
        path = error.path
        error.path = called if path is None else self.relative(path) or called
        if isinstance(error, OSError) and error.filename == path:
            error.filename = error.path
        if isinstance(target := error.context.get("target"), str):
            error.context["target"] = self.relative(target) or target
        if isinstance(error, DeletionsFailed) and error.failures:
            for failure in error.failures:
                self._make_relative(failure, called)
            error.message = DeletionsFailed.of(error.failures).message
            error.args = (error.message,)


def _leads_out(path: str) -> bool:
    """Whether a server could resolve the path above its start. Some take a backslash for a slash, or two for one."""
    depth = 0
    for name in path.replace("\\", "/").split("/") if ".." in path else ():
        depth += -1 if name == ".." else name not in {"", "."}
        if depth < 0:
            return True
    return False


class _RelativeLister(oio.List):
    """Makes the paths of entries relative to the prefix."""

    __slots__ = ("_first_unnamed", "_inner", "_prefix", "_relative", "_unnamed", "close")

    def __init__(self, inner: oio.List, prefix: str, relative: Callable[[str], str | None]) -> None:
        self._inner = inner
        self._prefix = prefix
        self._relative = relative
        self._first_unnamed = ""
        self._unnamed = 0
        self.close = inner.close  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._inner.next()) is not None:
            named = ((self._relative(entry.path), entry) for entry in page)
            entries = [Entry(path, entry.metadata) for path, entry in named if path is not None]
            if len(entries) < len(page):
                self._note_unnamed(page)
            if entries:
                return entries
        return None

    def left_out(self) -> Sequence[oio.LeftOut]:
        inner = [oio.LeftOut(self._relative(each.path) or "/", each.error) for each in self._inner.left_out()]
        return [*inner, oio.left_out_names("/", self._first_unnamed, self._unnamed)] if self._unnamed else inner

    def _note_unnamed(self, page: Sequence[Entry]) -> None:
        for entry in page:
            if entry.path.startswith(self._prefix) and self._relative(entry.path) is None:
                self._first_unnamed = self._first_unnamed or entry.path[len(self._prefix) :]
                self._unnamed += 1
