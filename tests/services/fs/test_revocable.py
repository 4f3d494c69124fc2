"""Work in a thread is revoked, or complete, when the cancelled caller goes on."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrepot import InvalidInput, NotFound
from entrepot.raw import Context
from entrepot.services.fs.revocable import Revocable, run_revocable

from .conftest import Run


def test_result_and_errors_pass(run: Run, context: Context) -> None:
    def fail(_: Revocable) -> None:
        raise NotFound("nothing")

    assert run(run_revocable(context.runtime, lambda _, one, *, two: one + two, 1, two=2)) == 3
    with pytest.raises(NotFound):
        run(run_revocable(context.runtime, fail))


def test_revoked_work_does_not_start() -> None:
    revocable = Revocable()
    assert not revocable.revoke()
    for _ in range(2):
        with pytest.raises(InvalidInput, match="aborted"), revocable:
            pytest.fail("it began")
    assert revocable.is_free()


async def test_call_that_waits_for_a_thread_is_not_made_after_a_cancellation() -> None:
    loop, may_go, made = asyncio.get_running_loop(), threading.Event(), list[int]()
    loop.set_default_executor(ThreadPoolExecutor(1))
    loop.run_in_executor(None, may_go.wait)
    calling = asyncio.create_task(run_revocable(Context().runtime, lambda _: made.append(1)))
    await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    may_go.set()
    await loop.run_in_executor(None, lambda: None)
    assert made == []


async def test_caller_that_is_cancelled_twice_still_waits_for_the_thread() -> None:
    entered, may_go, ended = threading.Event(), threading.Event(), list[int]()

    def work(revocable: Revocable) -> None:
        entered.set()
        assert may_go.wait(30)
        with pytest.raises(InvalidInput):
            revocable.check_wanted()
        ended.append(1)

    calling = asyncio.create_task(run_revocable(Context().runtime, work))
    while not entered.is_set():
        await asyncio.sleep(0.001)
    for _ in range(2):
        calling.cancel()
        await asyncio.sleep(0.01)
        assert not calling.done()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert ended == [1]
