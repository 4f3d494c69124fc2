"""Injects faults, to test how a program handles them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from os import SEEK_CUR
from random import Random
from typing import Any, Final, TypeVar, TypeVarTuple

from entrepot.errors import ContentIncomplete, Error, InvalidInput, Unexpected
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    Operation,
    OpList,
    OpRead,
    RpList,
    RpRead,
    oio,
)
from entrepot.types import Entry
from entrepot.types.numbers import as_integer, as_number, as_seconds

T = TypeVar("T")
Args = TypeVarTuple("Args")
Taken = TypeVar("Taken", bytes, bytes | None, int)
"""The result of a read: bytes, or their number in a buffer."""

_WITHOUT_RESPONSE: Final = frozenset({
    Operation.READ, Operation.READER_SEEK, Operation.WRITE, Operation.WRITER_WRITE, Operation.DELETE, Operation.LIST,
    Operation.COPY,
})  # fmt: skip
"""Calls that may send no request, so that there is no response to lose. They fail before they are made."""

_UNAVAILABLE: Final = 503
_WHY: Final = " (injected by ChaosLayer)"


@dataclass(frozen=True, eq=False)
class ChaosLayer(Layer):
    """Makes some calls of operations and of body verbs fail, wait, or return only the beginning of the bytes.

    The errors are `Unexpected` and temporary. Some are raised before the call, others instead of its result, after it
    took effect. Bodies keep their contract: a failed verb can be called again and continues at its position. No byte
    is ever wrong. A truncated read returns at least one byte, and the next verb raises `ContentIncomplete`.

    The same seed and the same calls in the same order produce the same faults. A copy of the layer in another
    process starts from the seed.

    Arguments:
        seed: the seed of the random numbers; None is a random one.
        error_ratio: the share of calls that fail, from 0 to 1.
        latency: the longest random delay before a call, in seconds.
        truncate_ratio: the share of reads that are truncated, from 0 to 1.
        operations: the affected calls, such as `["stat", "reader.read"]`; None is all. The others cost nothing.
        lost_ratio: the share of errors that are raised after the call took effect, from 0 to 1.

    Raises:
        InvalidInput: a value cannot work.
    """

    WORKS_WITHOUT_LOOP = True

    seed: int | None = None
    error_ratio: float = 0.1
    latency: float = 0.0
    truncate_ratio: float = 0.0
    operations: Iterable[Operation | str] | None = None
    lost_ratio: float = 0.5
    _chance: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.seed is not None:
            as_integer("seed", self.seed)
        for name in ("error_ratio", "truncate_ratio", "lost_ratio"):
            as_number(name, getattr(self, name), least=0, most=1)
        as_seconds("latency", self.latency, least=0)
        if self.operations is not None:
            object.__setattr__(self, "operations", _named(self.operations))
        object.__setattr__(self, "_chance", Random(self.seed))  # noqa: S311  (not for secrets)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _ChaosAccessor(accessor, self, self._chance, context)

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {argument.name: getattr(self, argument.name) for argument in fields(self) if argument.init}
        return partial(type(self), **arguments), ()


def _named(operations: Any) -> tuple[Operation, ...]:
    """The operations with these names, in the order of `Operation`."""
    if isinstance(operations, str) or not isinstance(operations, Iterable):
        raise InvalidInput(f"operations are names such as 'stat', in a list, not {type(operations).__name__}")
    names = set(operations)
    unknown = names - set(Operation)
    if unknown or not names:
        known = ", ".join(Operation)
        raise InvalidInput(f"operations are one or more of {known}, and {len(unknown)} of these are not")
    return tuple(operation for operation in Operation if operation in names)


class _ChaosAccessor(AroundAccessor):
    reads_into = True

    def __init__(self, inner: Accessor, layer: ChaosLayer, chance: Random, context: Context) -> None:
        if layer.operations is not None:
            self.operations = frozenset(_named(layer.operations))
        super().__init__(inner)
        self._layer = layer
        self._chance = chance
        self._context = context

    def _changes(self, operation: str) -> bool:
        return any(named.capability == operation for named in self.operations)

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        is_lost = await self.suffer(operation, path)
        result = await call(*args)
        if is_lost:
            raise self.lost(operation, path)
        return result

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        reply, body = await self.around_named(Operation.READ, path, self.inner.read, path, args)
        return reply, _ChaosReader(self, path, body)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        reply, body = await self.around_named(Operation.LIST, path, self.inner.list, path, args)
        return reply, _ChaosLister(self, path, body)

    async def suffer(self, operation: Operation, path: str) -> bool:
        """Delays a call and maybe refuses it. Returns whether its result must be lost afterwards.

        Raises:
            Unexpected: the call is refused.
        """
        if self._layer.latency:
            await self._context.runtime.sleep(self._layer.latency * self._chance.random())
        if not self._happens(self._layer.error_ratio):
            return False
        if operation in _WITHOUT_RESPONSE or not self._happens(self._layer.lost_ratio):
            facts = {"status": _UNAVAILABLE, "code": "ServiceUnavailable"}
            refused = Unexpected(f"the call was refused{_WHY}", is_temporary=True, context=facts)
            raise self._about(refused, operation, path)
        return True

    def lost(self, operation: Operation, path: str) -> Error:
        """The error instead of a result."""
        return self._about(Unexpected(f"the response was lost{_WHY}", is_temporary=True), operation, path)

    def cut(self, operation: Operation, path: str) -> Error:
        """The error at the end of a truncated read."""
        return self._about(ContentIncomplete(f"the content is truncated{_WHY}"), operation, path)

    def truncates(self) -> bool:
        """Whether the current read is truncated."""
        return self._happens(self._layer.truncate_ratio)

    def _happens(self, ratio: float) -> bool:
        return self._chance.random() < ratio

    def _about(self, error: Error, operation: Operation, path: str) -> Error:
        return error.add_context(scheme=self.info.scheme, operation=operation.value, path=path or None)


class _ChaosReader(oio.Read):
    """Seeks the body back to the end of the bytes that the caller received, so that a failed verb has moved nothing."""

    def __init__(self, chaos: _ChaosAccessor, path: str, inner: oio.Read) -> None:
        self._chaos = chaos
        self._path = path
        self._inner = inner
        self._is_cut = False

    @property
    def is_at_end(self) -> bool:
        """False: the verb that finds the end can fail too."""
        return False

    @property
    def remaining(self) -> int | None:
        return self._inner.remaining

    async def read(self, n: int) -> bytes:
        return await self._take(Operation.READER_READ, self._inner.read, n)

    async def readinto(self, buffer: memoryview) -> int:
        return await self._take(Operation.READER_READ, self._inner.readinto, buffer)

    async def next(self) -> bytes | None:
        return await self._take(Operation.READER_NEXT, self._inner.next)

    async def seek(self, offset: int, whence: int = 0) -> int:
        call = self._inner.seek
        return await self._chaos.around_named(Operation.READER_SEEK, self._path, call, offset, whence)

    async def close(self) -> None:
        await self._chaos.around_named(Operation.READER_CLOSE, self._path, self._inner.close)

    async def _take(self, operation: Operation, call: Callable[[*Args], Awaitable[Taken]], *args: *Args) -> Taken:
        if operation not in self._chaos.operations:
            return await call(*args)
        if self._is_cut:
            self._is_cut = False
            raise self._chaos.cut(operation, self._path)
        is_lost = await self._chaos.suffer(operation, self._path)
        taken = await call(*args)
        size = taken if isinstance(taken, int) else len(taken or b"")
        if is_lost:
            await self._give_back(size)
            raise self._chaos.lost(operation, self._path)
        return await self._truncated(taken, size) if size and self._chaos.truncates() else taken

    async def _truncated(self, taken: Taken, size: int) -> Taken:
        kept = (size + 1) // 2
        await self._give_back(size - kept)
        self._is_cut = True
        return kept if isinstance(taken, int) else (taken or b"")[:kept]

    async def _give_back(self, size: int) -> None:
        if size:
            await self._inner.seek(-size, SEEK_CUR)


class _ChaosLister(oio.List):
    """Keeps a lost page, and returns it when the verb is called again."""

    def __init__(self, chaos: _ChaosAccessor, path: str, inner: oio.List) -> None:
        self._chaos = chaos
        self._path = path
        self._inner = inner
        self._lost: Sequence[Entry] | None = None

    async def next(self) -> Sequence[Entry] | None:
        if Operation.LISTER_NEXT not in self._chaos.operations:
            return await self._inner.next()
        is_lost = await self._chaos.suffer(Operation.LISTER_NEXT, self._path)
        page, self._lost = self._lost or await self._inner.next(), None
        if is_lost:
            self._lost = page
            raise self._chaos.lost(Operation.LISTER_NEXT, self._path)
        return page

    def left_out(self) -> Sequence[oio.LeftOut]:
        return self._inner.left_out()

    async def close(self) -> None:
        await self._chaos.around_named(Operation.LISTER_CLOSE, self._path, self._inner.close)
