"""Calls in a window that are made until they succeed, with a bound on what they hold."""

import asyncio
from functools import partial

import pytest

from entrepot import Unexpected
from entrepot.raw.oio.write.parts_in_flight import MAX_IN_FLIGHT, PartsInFlight
from entrepot.raw.runtime.asyncio import AsyncioRuntime


class Calls:
    """Calls by name, each of which fails as often as it is told to and waits for its gate."""

    def __init__(self, **failures):
        self.failures = failures
        self.made = []
        self.gates = {}

    def __getitem__(self, name):
        return partial(self.call, name)

    async def call(self, name):
        self.made.append(name)
        if name in self.gates:
            await self.gates[name].wait()
        self.failures[name] = self.failures.get(name, 0) - 1
        if self.failures[name] >= 0:
            raise Unexpected(f"{name} failed", is_temporary=True)


def make(size=3, **failures):
    return PartsInFlight(AsyncioRuntime().window(size)), Calls(**failures)


async def test_a_call_that_failed_is_made_again_by_the_next_verb_and_not_before():
    sending, calls = make(a=1)
    sending.spawn(calls["a"], 1)
    sending.spawn(calls["b"], 1)
    with pytest.raises(Unexpected, match="a failed"):
        await sending.drain()
    assert (calls.made, len(sending), sending.has_room(1)) == (["a", "b"], 2, False)
    await sending.drain()
    assert (calls.made, len(sending), sending.has_room(1)) == (["a", "b", "a"], 0, True)


async def test_those_that_failed_meanwhile_are_made_again_too_and_their_errors_are_not_raised():
    sending, calls = make(a=1, b=1, c=1)
    for name in "abc":
        sending.spawn(calls[name], 1)
    with pytest.raises(Unexpected, match="a failed"):
        await sending.drain()
    await sending.make_room(1)
    await sending.drain()
    assert sorted(calls.made) == list("aabbcc")


async def test_what_fails_again_is_raised_again():
    sending, calls = make(b=3)
    sending.spawn(calls["a"], 1)
    sending.spawn(calls["b"], 1)
    for _ in range(3):
        with pytest.raises(Unexpected, match="b failed"):
            await sending.drain()
    await sending.drain()
    assert calls.made == ["a", "b", "b", "b", "b"]


async def test_a_failed_call_leaves_as_much_room_as_there_was():
    sending, calls = make(a=2)
    sending.spawn(calls["a"], MAX_IN_FLIGHT)
    assert not sending.has_room(1)
    for _ in range(2):
        with pytest.raises(Unexpected):
            await sending.make_room(1)
    await sending.make_room(MAX_IN_FLIGHT)
    sending.spawn(calls["b"], MAX_IN_FLIGHT - 5)
    assert (sending.has_room(5), sending.has_room(6)) == (True, False)
    await sending.close()
    assert sending.has_room(MAX_IN_FLIGHT + 1)


async def test_a_single_call_may_be_larger_than_the_bound():
    sending, calls = make()
    sending.spawn(calls["a"], 2 * MAX_IN_FLIGHT)
    assert not sending.has_room(0)
    await sending.drain()
    assert calls.made == ["a"]


async def test_a_cancelled_wait_leaves_all_in_flight():
    sending, calls = make()
    calls.gates["a"] = asyncio.Event()
    for name in "abc":
        sending.spawn(calls[name], 1)
    draining = asyncio.ensure_future(sending.drain())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert len(sending) == 3
    calls.gates["a"].set()
    await sending.drain()
    assert (calls.made, len(sending)) == (["a", "b", "c"], 0)


async def test_a_closed_one_has_forgotten_all_also_when_the_close_was_cancelled():
    sending, calls = make(a=1)
    calls.gates["b"] = asyncio.Event()
    sending.spawn(calls["a"], 1)
    sending.spawn(calls["b"], 1)
    with pytest.raises(Unexpected):
        await sending.drain()
    closing = asyncio.ensure_future(sending.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert (len(sending), asyncio.all_tasks()) == (0, {asyncio.current_task()})
    await sending.drain()
    assert calls.made == ["a", "b"]
