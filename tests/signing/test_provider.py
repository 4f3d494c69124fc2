"""Credentials that expire: one load for all who wait, ahead of time where possible, over loops, threads and forks."""

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Unexpected
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime, run
from entrepot.signing.aws import Credentials
from entrepot.signing.provider import CallableProvider, CredentialCache, FixedProvider, Provider, provider_of

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


class Source:
    """A provider of keys `key1`, `key2` ... that live for some seconds, or errors."""

    def __init__(self, clock: Clock, life: float | None = HOUR) -> None:
        self.clock = clock
        self.life = life
        self.loads = 0
        self.error: Error | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Credentials:
        self.loads += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return keys(self.loads, None if self.life is None else self.clock.time + self.life)


def keys(number: int, expires: float | None = None) -> Credentials:
    return Credentials(
        f"key{number}", "secret", None, None if expires is None else datetime.fromtimestamp(expires, UTC)
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> Source:
    return Source(clock)


@pytest.fixture
def cache(source: Source, clock: Clock) -> CredentialCache[Credentials]:
    return CredentialCache(source, AsyncioRuntime(), now=clock)


@pytest.mark.parametrize(
    ("life", "passed", "is_fresh"),
    [
        (None, 1e9, True),
        (HOUR, HOUR - 901, True),
        (HOUR, HOUR - 900, False),  # 15 minutes ahead
        (900, 449, True),  # at the half of a short life
        (900, 450, False),
        (300, 149, True),
        (300, 150, False),
        (-5, 59, True),  # had expired when it was loaded: for a minute
        (-5, 60, False),
    ],
)
async def test_is_fresh_until_it_should_be_refreshed(
    source: Source, clock: Clock, cache: CredentialCache[Credentials], life: float | None, passed: float, is_fresh: bool
) -> None:
    assert cache.fresh() is None
    source.life = life
    loaded = await cache.get()
    clock.time += passed
    assert cache.fresh() is (loaded if is_fresh else None)
    assert (await cache.get() is loaded) == is_fresh
    assert source.loads == (1 if is_fresh else 2)


async def test_sixty_four_waiters_make_one_load(source: Source, cache: CredentialCache[Credentials]) -> None:
    source.gate.clear()
    waiters = [asyncio.create_task(cache.get()) for _ in range(64)]
    await asyncio.sleep(0)
    source.gate.set()
    assert {credentials.access_key_id for credentials in await asyncio.gather(*waiters)} == {"key1"}
    assert source.loads == 1


async def test_waiters_share_a_failure_and_later_callers_try_again(
    source: Source, cache: CredentialCache[Credentials]
) -> None:
    source.gate.clear()
    source.error = PermissionDenied("the source has none", context={"status": 403})
    waiters = [asyncio.create_task(cache.get()) for _ in range(8)]
    await asyncio.sleep(0)
    source.gate.set()
    errors = await asyncio.gather(*waiters, return_exceptions=True)
    assert {(type(error), str(error)) for error in errors} == {(PermissionDenied, str(source.error))}
    assert len({id(error) for error in errors}) == 8  # each may be given the context of its own call
    assert source.loads == 1
    source.error = None
    assert (await cache.get()).access_key_id == "key2"


async def test_another_waiter_loads_where_the_first_is_cancelled(
    source: Source, cache: CredentialCache[Credentials]
) -> None:
    source.gate.clear()
    first, second = (asyncio.create_task(cache.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert (await second).access_key_id == "key2"


async def test_one_caller_refreshes_ahead_and_the_others_go_on(
    source: Source, clock: Clock, cache: CredentialCache[Credentials]
) -> None:
    old = await cache.get()
    clock.time += HOUR - 14 * 60
    source.gate.clear()
    refreshing = asyncio.create_task(cache.get())
    await asyncio.sleep(0)
    assert cache.fresh() is old
    assert await cache.get() is old
    source.gate.set()
    assert await refreshing is cache.fresh() is not old
    assert source.loads == 2


async def test_a_failed_refresh_keeps_the_old_ones_until_others_are_required(
    source: Source, clock: Clock, cache: CredentialCache[Credentials], caplog: pytest.LogCaptureFixture
) -> None:
    old = await cache.get()
    source.error = Unexpected("the source cannot be reached", is_temporary=True)
    clock.time += HOUR - 14 * 60
    assert await cache.get() is old
    assert "the source cannot be reached" in caplog.text
    assert cache.fresh() is old  # the next attempt is a minute later
    clock.time += 60
    assert await cache.get() is old
    assert source.loads == 3
    clock.time += 4 * 60
    with pytest.raises(Unexpected, match="cannot be reached"):
        await cache.get()
    source.error = None
    assert (await cache.get()).access_key_id == "key5"


async def test_a_clock_that_is_set_back_is_a_reason_to_refresh(
    source: Source, cache: CredentialCache[Credentials], clock: Clock
) -> None:
    right = clock.time
    clock.time += 2 * HOUR
    source.life = -HOUR  # they have expired, by the clock that is wrong
    await cache.get()
    clock.time, source.life = right, HOUR
    assert cache.fresh() is None
    source.error = PermissionDenied("not now")
    assert (await cache.get()).access_key_id == "key1"
    assert cache.fresh() is not None  # for a minute
    clock.time += 60
    source.error = None
    assert (await cache.get()).access_key_id == "key3"
    assert cache.age == 0


async def test_refused_credentials_are_replaced_once(source: Source, cache: CredentialCache[Credentials]) -> None:
    refused = await cache.get()
    renewed = await asyncio.gather(*[cache.renew(refused) for _ in range(64)])
    assert {credentials.access_key_id for credentials in renewed} == {"key2"}
    assert await cache.renew(refused) is renewed[0]  # a late refusal of the old ones
    assert source.loads == 2
    source.error = PermissionDenied("the source has none")
    with pytest.raises(PermissionDenied):
        await cache.renew(renewed[0])


async def test_fixed_credentials_are_fresh_at_once_and_have_no_others() -> None:
    fixed = keys(1)
    cache = CredentialCache(FixedProvider(fixed), AsyncioRuntime(), fixed)
    assert cache.fresh() is fixed
    assert await cache.renew(fixed) is fixed


def test_loops_share_the_credentials(clock: Clock) -> None:
    source = Source(clock)
    cache = CredentialCache(source, AsyncioRuntime(), now=clock)
    first = asyncio.run(cache.get())
    results = list[Credentials]()
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(cache.get()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [first] * 4
    clock.time += HOUR
    assert asyncio.run(cache.get()).access_key_id == "key2"
    assert source.loads == 2


def test_a_loop_that_ends_while_it_loads_does_not_hold_up_another(clock: Clock) -> None:
    source = Source(clock)
    cache = CredentialCache(source, AsyncioRuntime(), now=clock)

    async def leave() -> None:
        source.gate.clear()
        asyncio.create_task(cache.get())  # noqa: RUF006 - cancelled with the loop
        await asyncio.sleep(0)

    asyncio.run(leave())
    source.gate.set()
    assert asyncio.run(cache.get()).access_key_id == "key2"


def test_without_a_loop_threads_share_one_load(clock: Clock) -> None:
    source, cache = _blocking_cache(clock)
    threads = [threading.Thread(target=lambda: run(cache.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.calls == 1


def test_a_forked_child_has_the_credentials_and_a_lock_of_its_own(clock: Clock) -> None:
    source = Source(clock)
    cache = CredentialCache(source, AsyncioRuntime(), now=clock)

    async def fork_while_another_task_loads() -> int:
        held = await cache.get()
        source.gate.clear()
        renewing = asyncio.create_task(cache.renew(held))
        await asyncio.sleep(0)
        child = os.fork()
        if child == 0:
            os._exit(_in_child(cache, source, held))
        source.gate.set()
        await renewing
        return child

    child = asyncio.run(fork_while_another_task_loads())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _in_child(cache: CredentialCache[Credentials], source: Source, held: Credentials) -> int:
    """The status that a child exits with: 0 if it has the old credentials and can load others."""
    source.gate = asyncio.Event()
    source.gate.set()
    is_kept = cache.fresh() is held
    renewed: list[Credentials] = []
    thread = threading.Thread(target=lambda: renewed.append(asyncio.run(cache.renew(held))))
    thread.start()
    thread.join(10)
    return 0 if is_kept and renewed and renewed[0] != held else 1


class _Blocking:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Credentials:
        self.calls += 1
        return keys(self.calls)


def _blocking_cache(clock: Clock) -> tuple[_Blocking, CredentialCache[Credentials]]:
    source, runtime = _Blocking(), InlineRuntime()
    return source, CredentialCache(CallableProvider(source, Credentials, runtime), runtime, now=clock)


class _AsyncCall:
    async def __call__(self) -> Credentials:
        return keys(7)


class _Loading:
    """A provider whose load does what a function does."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    async def load(self) -> Any:
        return self._call()


async def _coroutine() -> Credentials:
    return keys(7)


def _failing(error: Exception) -> Credentials:
    raise error


@pytest.mark.parametrize("call", [_coroutine, _AsyncCall(), lambda: keys(7), partial(keys, 7), partial(_coroutine)])
async def test_functions_are_providers(call: Callable[[], Any]) -> None:
    assert await provider_of(call, Credentials, AsyncioRuntime()).load() == keys(7)


async def test_a_plain_function_runs_in_a_thread() -> None:
    threads = list[int]()

    def load() -> Credentials:
        threads.append(threading.get_ident())
        return keys(1)

    await provider_of(load, Credentials, AsyncioRuntime()).load()
    assert threads != [threading.get_ident()]


async def test_providers_and_credentials_are_taken_as_they_are(source: Source) -> None:
    assert (await provider_of(source, Credentials, AsyncioRuntime()).load()).access_key_id == "key1"
    assert await provider_of(keys(1), Credentials, AsyncioRuntime()).load() == keys(1)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: None, ConfigInvalid, "credentials must return Credentials, not NoneType"),
        (lambda: ("a", "b"), ConfigInvalid, "not tuple"),
        (partial(_failing, KeyError("x")), Unexpected, "failed with KeyError"),
        (partial(_failing, PermissionDenied("log in again")), PermissionDenied, "log in again"),
    ],
)
async def test_errors_of_functions_and_providers(call: Callable[[], Any], kind: type[Error], message: str) -> None:
    for source in (call, _Loading(call)):
        with pytest.raises(kind, match=message):
            await provider_of(source, Credentials, AsyncioRuntime()).load()


async def test_a_lost_connection_of_a_function_is_temporary() -> None:
    provider: Provider[Credentials] = provider_of(
        partial(_failing, ConnectionError("x")), Credentials, AsyncioRuntime()
    )
    with pytest.raises(Unexpected) as caught:
        await provider.load()
    assert caught.value.is_temporary
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("source", ["AKIA", 5, Source, {"access_key_id": "a"}])
def test_other_things_are_no_provider(source: object) -> None:
    if source is Source:
        assert isinstance(provider_of(source, Credentials, AsyncioRuntime()), CallableProvider)
        return
    with pytest.raises(ConfigInvalid, match="credentials must be Credentials, a Provider, or a function"):
        provider_of(source, Credentials, AsyncioRuntime())
