"""Ends every stack: an operator holds the operations and `info`, and no other attribute of a service."""

from __future__ import annotations

from entrepot.raw import OPERATIONS, WHOLE_OPERATIONS, Accessor, Context, Layer

_ALL = (*OPERATIONS, *WHOLE_OPERATIONS)


class TypeEraseLayer(Layer):
    """Part of every stack, outermost."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return TypeErasedAccessor(accessor)


class TypeErasedAccessor(Accessor):
    """A record of bound operations. It refers to no other attribute of the accessor."""

    __slots__ = ("info", *_ALL)

    def __init__(self, accessor: Accessor) -> None:
        self.info = accessor.info
        for operation in _ALL:
            setattr(self, operation, getattr(accessor, operation))
