"""Iterating what the user passes in, whether it is asynchronous or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

T = TypeVar("T")


async def iterate(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """What an iterable of either sort gives. Close it: a generator that was passed in is closed with it."""
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
    """Whether it is a generator that has ended, and would give nothing without a word."""
    if isinstance(source, GeneratorType):
        return source.gi_frame is None
    return isinstance(source, AsyncGeneratorType) and source.ag_frame is None


async def _close(iterator: Any) -> None:
    """Closes a generator, which would be left in the middle otherwise. A file is for its owner to close."""
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()
    elif isinstance(iterator, Generator):
        iterator.close()
