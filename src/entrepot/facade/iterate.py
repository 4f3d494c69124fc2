"""Iterates an iterable or an async iterable of the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

T = TypeVar("T")


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
