"""Iterates an iterable or an async iterable of the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

T = TypeVar("T")


class ByAsyncFor:
    """The base of objects that `async for` iterates. A `for` without `async` raises a `TypeError` that says so."""

    if not TYPE_CHECKING:  # it is an error for type checkers already

        def __getitem__(self, index: object) -> NoReturn:  # `for` calls it; `__iter__` would make an `Iterable`
            raise TypeError(f"{self!r} is iterated with `async for`, not with `for`")


async def iterate(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yields the items of an iterable or async iterable. Close it: that closes a generator of the caller as well."""
    iterator = aiter(source) if isinstance(source, AsyncIterable) else iter(source)
    try:
        if isinstance(iterator, AsyncIterator):
            async for item in iterator:
                yield item
        else:
            for item in iterator:
                yield item
    finally:
        await _close(iterator)


def is_used_up(source: object) -> bool:
    """Whether the source is a generator that has ended, and would silently yield nothing."""
    if isinstance(source, GeneratorType):
        return source.gi_frame is None
    return isinstance(source, AsyncGeneratorType) and source.ag_frame is None


async def _close(iterator: Any) -> None:
    """Closes a generator, which would stay suspended otherwise. A file is closed by its owner."""
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()
    elif isinstance(iterator, Generator):
        iterator.close()
