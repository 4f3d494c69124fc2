"""Ponds of ducks. The ducks of a pond can be read, listed and deleted as long as this process lives."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from entrepot import raw
from entrepot.errors import Error, NotFound, StorageFull
from entrepot.raw import oio
from entrepot.raw.config import ServiceUri
from entrepot.types import Capability, Entry, EntryMode, Metadata

PONDS: defaultdict[str, dict[str, bytes]] = defaultdict(dict)  # stands for the server of a real service


@dataclass(frozen=True)
class Pond(raw.ServiceConfig):
    """The configuration of the service."""

    SCHEME: ClassVar[str] = "pond"

    name: str
    root: str = "/"
    capacity: int = 1_000_000

    def validate(self) -> None:
        if not self.name:
            raise self.invalid("name must not be empty")

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"name": uri.authority, "root": uri.path}

    def build(self, context: raw.Context) -> raw.Accessor:
        return PondAccessor(self)


PAGE_SIZE = 100
BATCH_SIZE = 10

READING = ("stat", "read", "read_can_seek", "read_can_next", "read_with_suffix")
WRITING = ("write", "write_can_empty", "delete")
LISTING = ("list", "list_can_prefix", "list_with_recursive")
CAPABILITY = Capability(**dict.fromkeys(READING + WRITING + LISTING, True), delete_max_size=BATCH_SIZE)


class PondAccessor(raw.Accessor):
    def __init__(self, config: Pond) -> None:
        self.info = raw.AccessorInfo(
            scheme=Pond.SCHEME,
            root=raw.normalize_root(config.root),
            name=config.name,
            native_capability=CAPABILITY,
        )
        self._ducks = PONDS[config.name]
        self._capacity = config.capacity

    def _key(self, path: str) -> str:
        return raw.build_abs_path(self.info.root, path)

    def _find(self, key: str) -> bytes:
        try:
            return self._ducks[key]
        except KeyError:
            raise NotFound("there is no such duck") from None

    async def stat(self, path: str, args: raw.OpStat) -> raw.RpStat:
        return raw.RpStat(metadata=_metadata(path, self._find(self._key(path))))

    async def read(self, path: str, args: raw.OpRead) -> tuple[raw.RpRead, oio.Read]:
        response = raw.RpRead()

        def load() -> bytes:
            content = self._find(self._key(path))
            response.metadata = _metadata(path, content)
            start, end = args.range.resolve(len(content))
            return content[start:end]

        return response, oio.BytesReader(load)

    async def write(self, path: str, args: raw.OpWrite) -> tuple[raw.RpWrite, oio.Write]:
        async def store(content: bytes) -> Metadata:
            if len(self._ducks) >= self._capacity and self._key(path) not in self._ducks:
                raise StorageFull("the pond is full of ducks")
            self._ducks[self._key(path)] = content
            return _metadata(path, content)

        return raw.RpWrite(), oio.OneShotWriter(store)

    async def delete(self) -> tuple[raw.RpDelete, oio.Delete]:
        async def delete_one(path: str, args: raw.OpDelete) -> None:
            self._ducks.pop(self._key(path), None)

        async def delete_many(deletions: Sequence[tuple[str, raw.OpDelete]]) -> Sequence[Error]:
            for path, args in deletions:
                await delete_one(path, args)
            return []  # the errors of the deletions that failed

        return raw.RpDelete(), oio.BatchDeleter(delete_one, delete_many, BATCH_SIZE)

    async def list(self, path: str, args: raw.OpList) -> tuple[raw.RpList, oio.List]:
        async def fetch(token: str | None) -> oio.Page:
            keys = [key for key in sorted(self._ducks) if key.startswith(self._key(path)) and key > (token or "")]
            page = keys[: args.limit or PAGE_SIZE]
            return oio.Page([self._entry(key) for key in page], page[-1] if len(page) < len(keys) else None)

        lister = oio.PageLister(fetch)
        return raw.RpList(), lister if args.recursive else oio.HierarchyLister(lister, path)

    def _entry(self, key: str) -> Entry:
        path = raw.build_rel_path(self.info.root, key)
        return Entry(path, _metadata(path, self._ducks[key]))


def _metadata(path: str, content: bytes) -> Metadata:
    mode = EntryMode.DIR if raw.is_dir_path(path) else EntryMode.FILE
    return Metadata(mode=mode, content_length=len(content))
