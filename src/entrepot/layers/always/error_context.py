"""Adds scheme, operation and path to every error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

from entrepot.errors import Error
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    Operation,
    OpRead,
    OpStat,
    OpWrite,
    RpRead,
    RpStat,
    WholeRead,
    WholeWrite,
)

T = TypeVar("T")
Args = TypeVarTuple("Args")


class ErrorContextLayer(Layer):
    """Part of every stack. Fills the empty fields of each error that a call of the inner stack raises."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _ErrorContextAccessor(accessor)


class _ErrorContextAccessor(AroundAccessor):
    reads_into = True

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        try:
            return await call(*args)
        except Error as error:
            self._name(error, operation, path)
            raise

    async def stat(self, path: str, args: OpStat) -> RpStat:
        try:  # `around`, without a call between: it takes as long as the other layers of a stat
            return await self.inner.stat(path, args)
        except Error as error:
            self._name(error, Operation.STAT, path)
            raise

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        try:
            content = await self.inner.read_whole(path, args, described)
        except Error as error:
            self._name(error, Operation.READ, path)
            raise
        return content if isinstance(content, bytes) else self.around_reader(path, *content)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        try:
            stored = await self.inner.write_whole(path, data, args)
        except Error as error:
            self._name(error, Operation.WRITE, path)
            raise
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored

    def _name(self, error: Error, operation: Operation, path: str) -> None:
        error.add_context(scheme=self.info.scheme, operation=operation.value, path=path or None)
