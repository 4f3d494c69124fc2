"""What only the runtime without a loop does."""

import asyncio
import io
import threading

import pytest

from entrepot.errors import Unsupported
from entrepot.raw.runtime.inline import InlineRuntime, run


def test_a_coroutine_that_suspends_is_refused_and_closed():
    ended = []

    async def suspend():
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)

    with pytest.raises(Unsupported, match="suspended under the inline runtime"):
        run(suspend())
    assert ended == [True]


def test_a_coroutine_that_suspends_again_while_it_is_closed_is_refused_alike():
    async def suspend():
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)

    with pytest.raises(Unsupported, match="suspended under the inline runtime"):
        run(suspend())


def test_the_error_of_a_coroutine_passes():
    async def fail():
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        run(fail())


def test_a_deadline_is_checked_before_each_call_and_not_during_it():
    runtime, called = InlineRuntime(), []

    async def work():
        async with runtime.timeout(0.01):
            await runtime.blocking(threading.Event().wait, 0.02)
            called.append("ran to its end")
            await runtime.blocking(called.append, "never made")

    with pytest.raises(TimeoutError):
        run(work())
    assert called == ["ran to its end"]


@pytest.mark.parametrize("verb", ["open_file", "file.run"])
def test_no_file_is_touched_after_the_deadline(verb, tmp_path):
    runtime = InlineRuntime()
    (tmp_path / "file").write_bytes(b"content")

    async def work():
        file, _ = await runtime.open_file(lambda: ((tmp_path / "file").open("rb", buffering=0), None))
        try:
            async with runtime.timeout(0):
                if verb == "open_file":
                    await runtime.open_file(lambda: pytest.fail("opened after the deadline"))
                else:
                    await file.run(lambda raw: pytest.fail("used after the deadline"))
        finally:
            await file.close()

    with pytest.raises(TimeoutError):
        run(work())


def test_a_window_makes_a_call_when_its_result_is_taken():
    runtime, called = InlineRuntime(), []

    async def call(value):
        called.append(value)
        return value

    async def use():
        window = runtime.window(2)
        window.spawn(lambda: call("a"))
        window.spawn(lambda: call("b"))
        assert called == []
        assert await window.take() == "a"
        assert called == ["a"]
        await window.close()

    run(use())
    assert called == ["a"]


def test_a_lock_keeps_other_threads_out():
    runtime, order = InlineRuntime(), []
    lock, entered, leave = runtime.lock(), threading.Event(), threading.Event()

    async def hold():
        async with lock:
            entered.set()
            await runtime.blocking(leave.wait, 10)
            order.append("first")

    async def follow():
        async with lock:
            order.append("second")

    threads = [threading.Thread(target=run, args=(hold(),)), threading.Thread(target=run, args=(follow(),))]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second"]


def test_all_threads_share_one_local():
    local, found = InlineRuntime().local(object), []

    async def get():
        found.append(await local.get())

    threads = [threading.Thread(target=run, args=(get(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert len(set(found)) == 1


def test_nothing_is_read_ahead(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    file, _ = run(InlineRuntime().open_file(lambda: (io.FileIO(tmp_path / "file"), None)))
    assert file.start(lambda raw, position: raw.read(), 0, 7) is None
    run(file.close())
