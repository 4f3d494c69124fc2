"""A time limit that counts only the time in which the event loop ran."""

import asyncio
import time

import pytest

from entrepot.raw.runtime.awake import AwakeTimeout


@pytest.mark.parametrize("seconds", [0, 0.0005, 0.05])
async def test_it_ends_what_waits_and_never_early(seconds: float) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with AwakeTimeout(seconds):
            await asyncio.Event().wait()
    assert time.monotonic() - started >= seconds


@pytest.mark.parametrize("seconds", [None, 0.02])
async def test_what_ends_in_time_is_left_alone_afterwards(seconds: float | None) -> None:
    async with AwakeTimeout(seconds):
        await asyncio.sleep(0)
    await asyncio.sleep(0.04)


async def test_an_error_and_a_cancellation_pass() -> None:
    with pytest.raises(ZeroDivisionError):
        async with AwakeTimeout(1):
            raise ZeroDivisionError
    with pytest.raises(asyncio.CancelledError):
        async with AwakeTimeout(1):
            raise asyncio.CancelledError


async def test_a_turn_that_is_longer_than_the_limit_is_not_counted_as_a_whole() -> None:
    async with AwakeTimeout(0.05):
        time.sleep(0.1)
        for _ in range(3):
            await asyncio.sleep(0)
