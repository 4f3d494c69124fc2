"""Adds scheme, operation and path to every error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

from entrepot.errors import Error
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, Operation

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
            error.add_context(scheme=self.info.scheme, operation=operation.value, path=path or None)
            raise
