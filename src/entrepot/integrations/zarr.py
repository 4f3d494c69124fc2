"""A store of zarr 3 over an operator.

    import zarr
    from entrepot import Operator
    from entrepot.integrations.zarr import EntrepotStore

    array = zarr.open_array(EntrepotStore(Operator.from_uri("s3://bucket/a.zarr?region=eu-west-1")))

Needs the extra `zarr`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

from anyio import create_task_group

from entrepot import (
    AlreadyExists,
    BlockingOperator,
    BytesRange,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    RangeNotSatisfied,
)

from .extras import not_installed
from .identity import token

try:
    from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
except ImportError as error:
    raise not_installed("zarr", error) from error

__all__ = ["EntrepotStore", "EntrepotSyncStore"]

_ABSENT = (NotFound, IsADirectory, NotADirectory)


class EntrepotStore(Store):
    """A store over an operator, with its layers. Keys are relative to the operator's root.

    Over storage of this machine, such as fs and memory, it is an `EntrepotSyncStore`, which zarr can use without an
    event loop. Stores are equal if their operators pickle to the same bytes, or are the same object, and both are
    read-only or neither is. A store pickles if its operator does, for Dask and other processes.

    Arguments:
        operator: the operator. It may be in use in other event loops.
        read_only: refuse writes. By default False.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """

    def __new__(cls, operator: Operator, *, read_only: bool = False) -> Self:  # noqa: ARG004 - for __init__
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a store is made from an Operator, not {type(operator).__name__}")
        if cls is EntrepotStore and not operator.info.is_remote:
            return super().__new__(EntrepotSyncStore)  # type: ignore[return-value]
        return super().__new__(cls)

    def __init__(self, operator: Operator, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self._operator = operator

    @property
    def operator(self) -> Operator:
        """The operator that this store reads and writes with."""
        return self._operator

    def with_read_only(self, read_only: bool = False) -> Self:
        """Returns a store over the same operator that refuses writes, or does not."""
        return type(self)(self._operator, read_only=read_only)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Returns the value of a key or a range of it; None if the key does not exist."""
        content = await self._read(key, _range_of(byte_range))
        return None if content is None else prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Returns ranges of values in the order of the arguments. Ranges of one key that are near share a request."""
        requests = list(key_ranges)
        by_key: dict[str, list[int]] = {}
        for index, (key, _) in enumerate(requests):
            by_key.setdefault(key, []).append(index)
        found: list[Buffer | None] = [None] * len(requests)

        async def read(key: str, indices: list[int]) -> None:
            values = await self._ranges_of(key, [requests[index][1] for index in indices])
            for index, value in zip(indices, values, strict=True):
                found[index] = None if value is None else prototype.buffer.from_bytes(value)

        async with create_task_group() as group:
            for key, indices in by_key.items():
                group.start_soon(read, key, indices)
        return found

    async def get_ranges(
        self,
        key: str,
        byte_ranges: Sequence[ByteRequest | None],
        *,
        prototype: BufferPrototype,
        max_concurrency: int = 10,
        max_gap_bytes: int = 1 << 20,
        max_coalesced_bytes: int = 16 << 20,
    ) -> AsyncIterator[Sequence[tuple[int, Buffer | None]]]:
        """Yields the ranges of one value with their indices. Ranges that are near share a request.

        Arguments:
            key: the key.
            byte_ranges: the ranges.
            prototype: makes the buffers.
            max_concurrency: requests at the same time. By default 10.
            max_gap_bytes: bytes between two ranges that share a request. By default 1 MiB.
            max_coalesced_bytes: bytes of one request. By default 16 MiB.
        """
        options = {"gap": max_gap_bytes, "concurrent": max_concurrency, "chunk": max_coalesced_bytes}
        values = await self._ranges_of(key, byte_ranges, **options)
        yield [
            (index, None if value is None else prototype.buffer.from_bytes(value)) for index, value in enumerate(values)
        ]

    async def exists(self, key: str) -> bool:
        """Whether a key has a value."""
        try:
            return (await self._operator.stat(key)).is_file
        except _ABSENT:
            return False

    async def set(self, key: str, value: Buffer) -> None:
        """Replaces the value of a key."""
        self._check_writable()
        await self._operator.write(key, _content_of(value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Sets the value of a key that has none. Of several writers one wins, where the storage has conditions."""
        self._check_writable()
        if not self._operator.info.capability.write_with_if_not_exists:
            await super().set_if_not_exists(key, value)
            return
        with suppress(AlreadyExists):
            await self._operator.write(key, _content_of(value), if_not_exists=True)

    async def delete(self, key: str) -> None:
        """Deletes a key. A missing one is no error."""
        self._check_writable()
        with suppress(*_ABSENT):
            await self._operator.delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Deletes all keys below a directory."""
        self._check_writable()
        await self._operator.delete(_directory(prefix), recursive=True)

    async def list(self) -> AsyncIterator[str]:
        """Yields all keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yields all keys that start with a prefix."""
        async with self._operator.lister(prefix or "/", recursive=True) as entries:
            async for entry in entries:
                if entry.metadata.is_file:
                    yield entry.path

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yields the names of the keys and directories in a directory."""
        directory = _directory(prefix)
        async with self._operator.lister(directory) as entries:
            async for entry in entries:
                if entry.path != directory:
                    yield entry.name.rstrip("/")

    async def getsize(self, key: str) -> int:
        """Returns the number of bytes of a value.

        Raises:
            FileNotFoundError: the key does not exist.
        """
        metadata = await self._operator.stat(key)
        if not metadata.is_file or metadata.content_length is None:
            raise NotFound("there is no value with a known size", path=key)
        return metadata.content_length

    async def getsize_prefix(self, prefix: str) -> int:
        """Returns the number of bytes of all values below a directory. One listing."""
        size = 0
        async with self._operator.lister(_directory(prefix), recursive=True) as entries:
            async for entry in entries:
                size += entry.metadata.content_length or 0
        return size

    @property
    def supports_writes(self) -> bool:
        """Whether the storage can be written."""
        return self._operator.info.capability.write

    @property
    def supports_deletes(self) -> bool:
        """Whether keys can be deleted."""
        return self._operator.info.capability.delete

    @property
    def supports_listing(self) -> bool:
        """Whether keys can be listed."""
        return self._operator.info.capability.list

    def __eq__(self, value: object) -> bool:
        if not isinstance(value, EntrepotStore):
            return NotImplemented
        return self.read_only == value.read_only and token(self._operator) == token(value._operator)

    def __hash__(self) -> int:
        return hash((self.read_only, token(self._operator)))

    def __repr__(self) -> str:
        return f"EntrepotStore({self._operator!r})"

    def __str__(self) -> str:
        info = self._operator.info
        return f"entrepot+{info.scheme}://{info.name}{info.root}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._operator, self.read_only, self._is_open)

    async def _read(self, key: str, wanted: BytesRange) -> bytes | None:
        """The bytes of a range, none where it is past the end as in zarr's own stores; None without the key."""
        try:
            return await self._operator.read(key, range=wanted)
        except RangeNotSatisfied:
            return b""
        except _ABSENT:
            return None

    async def _ranges_of(
        self, key: str, byte_ranges: Sequence[ByteRequest | None], **options: int
    ) -> Sequence[bytes | memoryview | None]:
        wanted = [_range_of(byte_range) for byte_range in byte_ranges]
        if len(wanted) == 1:
            return [await self._read(key, wanted[0])]
        try:
            async with self._operator.reader(key, **options) as reader:  # type: ignore[arg-type]
                return await reader.fetch_views(wanted)
        except RangeNotSatisfied:  # one of them starts past the end
            return [await self._read(key, one) for one in wanted]
        except _ABSENT:
            return [None] * len(wanted)


class EntrepotSyncStore(EntrepotStore):
    """A store over storage of this machine, with calls that need no event loop. Made by `EntrepotStore`."""

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The same as `get`, in the calling thread."""
        wanted = _range_of(byte_range)
        try:
            content = self._blocking.read(key, range=wanted)
        except RangeNotSatisfied:
            content = b""
        except _ABSENT:
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(content)

    def set_sync(self, key: str, value: Buffer) -> None:
        """The same as `set`, in the calling thread."""
        self._check_writable()
        self._blocking.write(key, _content_of(value))

    def delete_sync(self, key: str) -> None:
        """The same as `delete`, in the calling thread."""
        self._check_writable()
        with suppress(*_ABSENT):
            self._blocking.delete(key)

    def __init__(self, operator: Operator, *, read_only: bool = False) -> None:
        super().__init__(operator, read_only=read_only)
        self._blocking: BlockingOperator = operator.blocking()


def _range_of(byte_range: ByteRequest | None) -> BytesRange:
    match byte_range:
        case None:
            return BytesRange()
        case RangeByteRequest(start, end):
            return BytesRange(start, end)
        case OffsetByteRequest(offset):
            return BytesRange(offset)
        case SuffixByteRequest(suffix):
            return BytesRange(suffix=suffix)
    raise TypeError(f"Unexpected byte_range, got {byte_range}.")  # the wording of zarr's own stores


def _content_of(value: Any) -> Any:
    if not isinstance(value, Buffer):
        raise TypeError(  # the wording of zarr's own stores
            f"Store.set(): `value` must be a Buffer instance. Got an instance of {type(value)} instead."
        )
    return value.as_buffer_like()


def _directory(prefix: str) -> str:
    return f"{prefix.strip('/')}/"


def _restore(operator: Operator, read_only: bool, is_open: bool) -> EntrepotStore:
    store = EntrepotStore(operator, read_only=read_only)
    store._is_open = is_open  # noqa: SLF001 - a name of zarr, which its stores have in their pickles
    return store
