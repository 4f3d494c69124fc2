"""The memory service. It is the template for others: copy it and replace the table by your storage."""

from __future__ import annotations

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, AccessorInfo, OpRead, OpStat, OpWrite, RpRead, RpStat, RpWrite, build_abs_path, oio
from entrepot.raw.conditions import check_conditions
from entrepot.types import Capability, Metadata, Scheme

from .core import Table

CAPABILITY = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
)


class MemoryAccessor(Accessor):
    """Objects in a table."""

    def __init__(self, table: Table, root: str) -> None:
        self.info = AccessorInfo(scheme=Scheme.MEMORY, root=root, native_capability=CAPABILITY)
        self._table = table

    async def stat(self, path: str, args: OpStat) -> RpStat:
        metadata = self._table.stat(build_abs_path(self.info.root, path))
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.BytesReader]:
        reply = RpRead()

        def load() -> bytes | memoryview:
            stored = self._table.get(build_abs_path(self.info.root, path))
            check_conditions(stored.metadata, args)
            begin, end = args.range.resolve(len(stored.content))
            reply.metadata = stored.metadata
            return stored.content if args.range.is_full else memoryview(stored.content)[begin:end]

        return reply, oio.BytesReader(load)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, MemoryWriter]:
        return RpWrite(), MemoryWriter(self._table, build_abs_path(self.info.root, path))


class MemoryWriter(oio.Write):
    """Collects what is written and stores it on close."""

    __slots__ = ("_is_aborted", "_key", "_parts", "_stored", "_table")

    def __init__(self, table: Table, key: str) -> None:
        self._table = table
        self._key = key
        self._parts: list[bytes] = []
        self._stored: Metadata | None = None
        self._is_aborted = False

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self._check_not_aborted()
        if self._stored is not None:
            raise InvalidInput("the writer is closed")
        self._parts.append(bytes(data))

    async def close(self) -> Metadata:
        self._check_not_aborted()
        if self._stored is None:
            self._stored = self._table.put(self._key, b"".join(self._parts))
            self._parts.clear()
        return self._stored

    async def abort(self) -> None:
        self._is_aborted = self._stored is None  # what was published stays
        self._parts.clear()

    def _check_not_aborted(self) -> None:
        if self._is_aborted:
            raise InvalidInput("the writer was aborted")
