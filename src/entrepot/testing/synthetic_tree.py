"""A service for tests that stores names, with the native capability you choose. The stack must complete the rest.

    tree = SyntheticTree(FLAT, page_size=2)
    tree.fill({"a/b": b"1", "a/c/d": b"22"})
    op = Operator(tree)

Without native `create_dir` it is flat, and names are keys; with it, directories exist on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from entrepot.errors import Error, NotFound, ObjectExists, PermissionDenied, Unexpected
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Context,
    OpCreateDir,
    OpDelete,
    OpList,
    OpStat,
    OpWrite,
    RpCreateDir,
    RpDelete,
    RpList,
    RpStat,
    RpWrite,
    ServiceConfig,
    get_parent,
    is_dir_path,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.types import Capability, Entry, EntryMode, Metadata

from .synthetic import Misuse, Script

FLAT: Final = Capability(
    stat=True,
    stat_with_if_match=True,
    write=True,
    write_can_empty=True,
    delete=True,
    delete_max_size=3,
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    list_with_start_after=True,
)
"""The capability of an object store."""

HIERARCHICAL: Final = Capability(stat=True, write=True, create_dir=True, delete=True, delete_max_size=1, list=True)
"""The capability of a file server that only lists one directory at a time."""


@dataclass(frozen=True)
class SyntheticTree(ServiceConfig):
    """A service that stores names, with the given native capability.

    Arguments:
        native: the native capability. The service raises `Misuse` for everything else.
        page_size: the number of entries in a page of a listing.
        tells_lengths: whether a listing has the lengths of files.
        pages_by_count: whether the next page starts after a number of entries instead of after the last name, so
            that a listing skips entries when others are deleted during it.
    """

    SCHEME: ClassVar[str] = "synthetic-tree"

    native: Capability = FLAT
    page_size: int = 3
    tells_lengths: bool = True
    pages_by_count: bool = False
    objects: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    directories: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    forbidden: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    script: Script = field(default_factory=Script, init=False, repr=False, compare=False)
    _order: list[Callable[[str], Any]] = field(default_factory=lambda: [str], init=False, repr=False, compare=False)

    def build(self, context: Context) -> Accessor:
        return SyntheticTreeAccessor(self)

    @property
    def is_flat(self) -> bool:
        """Whether directories are only names."""
        return not self.native.create_dir

    def sort_by(self, order: Callable[[str], Any]) -> None:
        """Sets the sort key of listings. By default they are sorted by name."""
        self._order[:] = [order]

    def order(self, name: str) -> Any:
        """The sort key of a name."""
        return self._order[0](name)

    def fill(self, objects: Mapping[str, bytes]) -> None:
        """Stores objects, and creates the directories above them where the service has directories."""
        for path, content in objects.items():
            self.put(path, content)

    def put(self, path: str, content: bytes) -> None:
        """Stores one object. Where the service has directories, a path with a trailing slash creates one."""
        if not self.is_flat:
            self._make_directories(path if is_dir_path(path) else get_parent(path))
        if self.is_flat or not is_dir_path(path):
            self.objects[path] = content

    def names(self) -> Iterable[str]:
        """The names of all objects and directories."""
        return {*self.objects, *self.directories}

    def metadata(self, path: str) -> Metadata:
        """The metadata of a name.

        Raises:
            NotFound: no object or directory has the name.
        """
        if path in self.objects:
            mode = EntryMode.DIR if is_dir_path(path) else EntryMode.FILE
            return Metadata(mode=mode, content_length=len(self.objects[path]), etag=f'"{path}"')
        if f"{path}/" in self.directories or path in self.directories:
            return Metadata(mode=EntryMode.DIR)
        raise NotFound("there is no such name")

    def _make_directories(self, path: str) -> None:
        while path != "/":
            self.directories.add(path)
            path = get_parent(path)


class SyntheticTreeAccessor(Accessor):
    """The operations of a `SyntheticTree`. Raises `Misuse` for calls that the stack must not make."""

    def __init__(self, tree: SyntheticTree) -> None:
        self.info = AccessorInfo(scheme=tree.SCHEME, native_capability=tree.native)
        self._tree = tree
        self._script = tree.script

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self._script.record("stat", path, args)
        self._script.enter_verb()
        metadata = self._tree.metadata(path)
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        self._script.record("write", path, args)
        _forbid(is_dir_path(path) and not self._tree.is_flat, "a directory is not written")
        return RpWrite(), oio.OneShotWriter(partial(self._store, path, args))

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        self._script.record("create_dir", path, args)
        _forbid(self._tree.is_flat, "the service has no directories")
        self._tree.put(path, b"")
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        size = self._tree.native.delete_max_size or 1
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, size)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        self._script.record("list", path, args)
        native = self._tree.native
        _forbid(args.recursive and not native.list_with_recursive, "it lists one level")
        _forbid(not is_dir_path(path) and not native.list_can_prefix, "it lists directories")
        return RpList(), oio.PageLister(partial(self._fetch, path, args))

    async def _store(self, path: str, args: OpWrite, content: bytes) -> Metadata:
        self._script.enter_verb()
        if args.if_not_exists and path in self._tree.objects:
            raise ObjectExists("there is such an object")
        self._tree.put(path, content)
        return self._tree.metadata(path)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        self._script.enter_verb()
        self._remove(path, args)

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        self._script.enter_verb()
        failures = (self._failure_of(path, args) for path, args in deletions)
        return [failure for failure in failures if failure is not None]

    def _failure_of(self, path: str, args: OpDelete) -> Error | None:
        try:
            self._remove(path, args)
        except Error as error:
            return error.add_context(path=path)
        return None

    def _remove(self, path: str, args: OpDelete) -> None:
        self._script.record("delete", path, args)
        _forbid(args.recursive or path == "/", "it deletes one path, and never its root")
        if path in self._tree.forbidden:
            raise PermissionDenied("this path is forbidden")
        if path in self._tree.directories and len(self._level(path)) > 1:
            raise Unexpected("the directory is not empty")
        self._tree.objects.pop(path, None)
        self._tree.directories.discard(path)

    async def _fetch(self, path: str, args: OpList, token: str | None) -> oio.Page:
        self._script.enter_verb()
        if path in self._tree.forbidden:
            raise PermissionDenied("this directory is forbidden")
        names = self._names_at(path, args)
        start = self._start_of(names, token)
        page = names[start : start + self._tree.page_size]
        is_last = start + len(page) >= len(names)
        following = str(start + len(page)) if self._tree.pages_by_count else page[-1] if page else ""
        return oio.Page([self._entry(name) for name in page], None if is_last else following)

    def _names_at(self, path: str, args: OpList) -> Sequence[str]:
        below = [name for name in self._tree.names() if path == "/" or name.startswith(path)]
        names = sorted(below if args.recursive else self._level(path), key=self._tree.order)
        return [name for name in names if args.start_after is None or name > args.start_after]

    def _level(self, path: str) -> set[str]:
        prefix = "" if path == "/" else path
        below = (name for name in self._tree.names() if name.startswith(prefix))
        cuts = ((name, name.find("/", len(prefix))) for name in below)
        return {name if cut < 0 else name[: cut + 1] for name, cut in cuts}

    def _start_of(self, names: Sequence[str], token: str | None) -> int:
        if token is None:
            return 0
        if self._tree.pages_by_count:
            return int(token)
        return sum(self._tree.order(name) <= self._tree.order(token) for name in names)

    def _entry(self, name: str) -> Entry:
        if is_dir_path(name) and name not in self._tree.objects:
            return Entry(name, Metadata(mode=EntryMode.DIR))
        metadata = self._tree.metadata(name)
        return Entry(name, metadata if self._tree.tells_lengths else Metadata(mode=metadata.mode))


def _forbid(is_misused: bool, why: str) -> None:
    if is_misused:
        raise Misuse(why)
