"""Makes a directory the root."""

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
    OpStat,
    RpList,
    RpListUploads,
    RpStat,
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
    """Makes a directory the root: every path lies beneath it, and what comes back is relative to it.

    What `op.at("dir/")` adds. The directory need not exist: the root is always there, and what is written makes it.
    No path leads out of it: one that would if `..` were resolved is refused on every service, also where it is a
    name like any other, for some servers resolve it. On fs a symbolic link in it that leads elsewhere below the root
    of the configuration is followed as anywhere else.

    Arguments:
        prefix: the directory, with a slash at its end; `"/"` changes nothing.

    Raises:
        InvalidInput: the prefix has no slash at its end, or cannot be a path.
    """

    prefix: str

    def __post_init__(self) -> None:
        prefix = normalize_path(self.prefix)
        if not (is_dir_path(prefix) and str(self.prefix)):
            raise InvalidInput("the prefix is a directory, with a slash at its end")
        object.__setattr__(self, "prefix", prefix)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return accessor if self.prefix == "/" else _PrefixAccessor(accessor, self.prefix)


class _PrefixAccessor(AroundAccessor):
    def __init__(self, inner: Accessor, prefix: str) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, root=inner.info.root + prefix)
        self._prefix = prefix

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        arguments: Any = [self._beneath(one) if isinstance(one, str) else one for one in args]  # each text is a path
        try:
            return await call(*arguments)
        except Error as error:
            self._make_relative(error, path or None)
            raise

    async def stat(self, path: str, args: OpStat) -> RpStat:
        try:
            return await super().stat(path, args)
        except NotFound:
            if path != "/":
                raise
            return stat_root(args)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        if args.start_after is not None:
            args = replace(args, start_after=self._beneath(args.start_after))
        reply, entries = await super().list(path, args)
        body: oio.List = _RelativeLister(entries, self.relative)
        if path == "/" and args.start_after is None:
            body = oio.SelfEntryLister(body, path, keeps_versions=args.versions or args.deleted)
        return reply, body

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        reply = await super().list_uploads(path, args)
        relative = ((self.relative(upload.path), upload) for upload in reply.uploads)
        return replace(reply, uploads=[replace(upload, path=path) for path, upload in relative if path is not None])

    def relative(self, path: str) -> str | None:
        """A path as it is called from the prefix; None where no path leads to it from there."""
        if not path.startswith(self._prefix):
            return None
        relative = path[len(self._prefix) :]
        return None if relative.startswith("/") or _leads_out(relative) else relative or "/"

    def _beneath(self, path: str) -> str:
        if _leads_out(path):
            raise InvalidInput("the path leads out of the directory by '..'", scheme=self.info.scheme, path=path)
        return self._prefix if path == "/" else self._prefix + path

    def _make_relative(self, error: Error, called: str | None) -> None:
        """Calls everything in an error as it is called from the prefix. What lies above is told as the path called."""
        told = error.path
        error.path = called if told is None else self.relative(told) or called
        if isinstance(error, OSError) and error.filename == told:
            error.filename = error.path
        if isinstance(target := error.context.get("target"), str):
            error.context["target"] = self.relative(target) or target
        if isinstance(error, DeletionsFailed) and error.failures:
            for failure in error.failures:
                self._make_relative(failure, called)
            error.message = DeletionsFailed.of(error.failures).message
            error.args = (error.message,)


def _leads_out(path: str) -> bool:
    """Whether some server would go above the start of the path: to some a backslash is a slash, two are one."""
    depth = 0
    for name in path.replace("\\", "/").split("/") if ".." in path else ():
        depth += -1 if name == ".." else name not in {"", "."}
        if depth < 0:
            return True
    return False


class _RelativeLister(oio.List):
    """Entries as they are called from the prefix."""

    __slots__ = ("_inner", "_relative", "close")

    def __init__(self, inner: oio.List, relative: Callable[[str], str | None]) -> None:
        self._inner = inner
        self._relative = relative
        self.close = inner.close  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._inner.next()) is not None:
            named = ((self._relative(entry.path), entry) for entry in page)
            if entries := [Entry(path, entry.metadata) for path, entry in named if path is not None]:
                return entries
        return None
