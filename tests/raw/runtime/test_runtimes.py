"""What both runtimes owe: the same verbs with the same meaning."""

import asyncio
import io
import os

import pytest

from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime, run


@pytest.fixture(params=["asyncio", "inline"])
def driver(request):
    """A runtime and what steps its coroutines to their results."""
    if request.param == "asyncio":
        with asyncio.Runner() as runner:
            yield AsyncioRuntime(), runner.run
    else:
        yield InlineRuntime(), run


async def give(value):
    return value


async def fail():
    raise LookupError("no")


def test_blocking_gives_the_result_and_the_error_of_the_call(driver):
    runtime, step = driver
    assert step(runtime.blocking(pow, 2, 5)) == 32
    with pytest.raises(ZeroDivisionError):
        step(runtime.blocking(divmod, 1, 0))


def test_what_is_tried_at_once_is_made_only_where_blocking_holds_up_others(driver):
    runtime, step = driver
    expected = [32, None] if isinstance(runtime, AsyncioRuntime) else [None, None]
    assert [step(runtime.try_nonblocking(pow, 2, 5)), step(runtime.try_nonblocking({}.get, "missing"))] == expected


def test_open_file_gives_the_file_and_what_its_opener_learned(driver, tmp_path):
    runtime, step = driver
    (tmp_path / "file").write_bytes(b"content")

    def opener():
        raw = io.FileIO(tmp_path / "file")
        return raw, os.fstat(raw.fileno()).st_size

    async def use():
        file, size = await runtime.open_file(opener)
        data = await file.run(lambda raw, n: raw.read(n), size)
        raw = await file.run(lambda raw: raw)
        await file.close()
        await file.close()
        return data, raw.closed

    assert step(use()) == (b"content", True)


def test_open_file_gives_the_error_of_its_opener(driver, tmp_path):
    runtime, step = driver
    with pytest.raises(FileNotFoundError):
        step(runtime.open_file(lambda: (io.FileIO(tmp_path / "missing"), None)))


def test_the_clock_goes_on_while_one_sleeps(driver):
    runtime, step = driver
    before = runtime.now()
    step(runtime.sleep(0.01))
    assert runtime.now() - before >= 0.01


def test_a_timeout_ends_a_sleep(driver):
    runtime, step = driver

    async def oversleep():
        async with runtime.timeout(0.01):
            await runtime.sleep(1000)

    before = runtime.now()
    with pytest.raises(TimeoutError):
        step(oversleep())
    assert runtime.now() - before < 500


def test_of_two_timeouts_the_nearer_one_counts(driver):
    runtime, step = driver

    async def oversleep():
        async with runtime.timeout(0.01), runtime.timeout(1000):
            await runtime.sleep(1000)

    with pytest.raises(TimeoutError):
        step(oversleep())


def test_after_a_timeout_its_scope_is_over(driver):
    runtime, step = driver

    async def go_on():
        with pytest.raises(TimeoutError):
            async with runtime.timeout(0):
                await runtime.sleep(1)
        await runtime.sleep(0)
        return await runtime.blocking(len, "abc")

    assert step(go_on()) == 3


def test_no_timeout_is_no_limit(driver):
    runtime, step = driver

    async def sleep():
        async with runtime.timeout(None):
            await runtime.sleep(0)
        return "slept"

    assert step(sleep()) == "slept"


def test_within_a_limit_a_call_gives_its_result_and_its_error(driver):
    runtime, step = driver
    assert step(runtime.with_timeout(1000, give, 7)) == 7
    assert step(runtime.with_timeout(1000, runtime.blocking, pow, 2, 5)) == 32
    with pytest.raises(LookupError):
        step(runtime.with_timeout(1000, fail))


def test_within_a_limit_a_call_that_takes_longer_ends(driver):
    runtime, step = driver
    before = runtime.now()
    with pytest.raises(TimeoutError):
        step(runtime.with_timeout(0.01, runtime.sleep, 1000))
    assert runtime.now() - before < 500
    assert step(runtime.blocking(len, "abc")) == 3


def test_of_two_limits_the_nearer_one_counts(driver):
    runtime, step = driver
    with pytest.raises(TimeoutError):
        step(runtime.with_timeout(0.01, runtime.with_timeout, 1000, runtime.sleep, 1000))
    with pytest.raises(TimeoutError):
        step(runtime.with_timeout(1000, runtime.with_timeout, 0.01, runtime.sleep, 1000))


def test_a_window_gives_results_in_the_order_of_its_calls(driver):
    runtime, step = driver

    async def late(value, seconds):
        await runtime.sleep(seconds)
        return value

    async def use():
        window = runtime.window(3)
        assert (len(window), window.is_full()) == (0, False)
        for value, seconds in ("a", 0.02), ("b", 0), ("c", 0.01):
            window.spawn(lambda value=value, seconds=seconds: late(value, seconds))
        assert (len(window), window.is_full()) == (3, True)
        taken = [await window.take() for _ in range(3)]
        await window.close()
        return taken, len(window)

    assert step(use()) == (["a", "b", "c"], 0)


def test_a_window_raises_the_error_of_a_call_when_its_turn_comes(driver):
    runtime, step = driver

    async def use():
        window = runtime.window(2)
        window.spawn(lambda: give("first"))
        window.spawn(fail)
        assert await window.take() == "first"
        with pytest.raises(LookupError):
            await window.take()
        await window.close()
        return len(window)

    assert step(use()) == 0


def test_a_call_that_failed_has_left_the_window_and_the_others_go_on(driver):
    runtime, step = driver
    made = []

    async def fail_once():
        made.append("call")
        raise LookupError("no")

    async def use():
        window = runtime.window(2)
        window.spawn(fail_once)
        window.spawn(lambda: give("second"))
        with pytest.raises(LookupError):
            await window.take()
        assert (len(window), window.is_full()) == (1, False)
        window.spawn(lambda: give("third"))
        taken = [await window.take(), await window.take()]
        await window.close()
        return taken

    assert step(use()) == ["second", "third"]
    assert made == ["call"]


def test_a_closed_window_forgets_its_calls_and_can_be_used_again(driver):
    runtime, step = driver

    async def use():
        window = runtime.window(2)
        window.spawn(fail)
        await window.close()
        window.spawn(lambda: give("second"))
        taken = await window.take()
        await window.close()
        return taken

    assert step(use()) == "second"


def test_a_lock_is_free_again_after_an_error(driver):
    runtime, step = driver

    async def use():
        lock = runtime.lock()
        with pytest.raises(LookupError):
            async with lock:
                await fail()
        async with lock:
            return "held again"

    assert step(use()) == "held again"


def test_a_limiter_lets_as_many_in_as_it_has_permits(driver):
    runtime, step = driver

    async def use():
        limiter = runtime.limiter(2)
        async with limiter, limiter:
            with pytest.raises(TimeoutError):
                async with runtime.timeout(0.01), limiter:
                    raise AssertionError("a third one got in")
        async with limiter, limiter:
            return "both are back"

    assert step(use()) == "both are back"


def test_shield_gives_the_result_and_the_error_of_the_call(driver):
    runtime, step = driver
    assert step(runtime.shield(lambda: give(7))) == 7
    with pytest.raises(LookupError):
        step(runtime.shield(fail))


def test_a_local_is_made_once_and_closed_once(driver):
    runtime, step = driver
    made, closed = [], []

    def make():
        made.append(object())
        return made[-1]

    async def close(value):
        closed.append(value)

    async def use():
        local = runtime.local(make, close)
        assert await local.get() is await local.get()
        await local.close()
        await local.close()
        assert (len(made), closed) == (1, made)
        assert await local.get() is made[1]
        await local.close()

    step(use())
    assert closed == made


def test_a_local_without_close_is_let_go(driver):
    runtime, step = driver

    async def use():
        local = runtime.local(object)
        first = await local.get()
        await local.close()
        return first is await local.get()

    assert step(use()) is False
