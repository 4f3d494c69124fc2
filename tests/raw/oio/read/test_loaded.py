"""`LoadedReader`: bytes that one awaited call loads."""

import pytest

from entrepot import InvalidInput, Unexpected
from entrepot.raw.oio import LoadedReader


async def test_it_loads_with_its_first_verb_and_once() -> None:
    loads = 0

    async def load() -> bytes:
        nonlocal loads
        loads += 1
        return b"0123456789"

    reader = LoadedReader(load)
    assert (loads, reader.is_at_end) == (0, False)
    assert await reader.read(3) == b"012"
    assert await reader.seek(-2, 2) == 8
    buffer = bytearray(5)
    assert await reader.readinto(memoryview(buffer)) == 2
    assert reader.is_at_end
    assert await reader.seek(0) == 0
    assert await reader.next() == b"0123456789"
    assert (await reader.next(), loads) == (None, 1)
    await reader.close()
    await reader.close()
    with pytest.raises(InvalidInput):
        await reader.read(1)


async def test_a_failure_is_repeated_by_the_next_verb() -> None:
    results = [Unexpected("lost", is_temporary=True), b"content"]

    async def load() -> bytes:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    reader = LoadedReader(load)
    with pytest.raises(Unexpected):
        await reader.read(9)
    assert await reader.read(9) == b"content"


async def test_one_that_was_closed_loads_nothing() -> None:
    async def load() -> bytes:
        raise AssertionError

    reader = LoadedReader(load)
    await reader.close()
    with pytest.raises(InvalidInput):
        await reader.seek(0)
