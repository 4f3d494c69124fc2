"""What several signals do to a verb that cleans up."""

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from entrepot.cli import ending
from entrepot.cli.ending import Ending


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ending.CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def verb(running: Ending, signals: int, cleanup: float, ended: list[str]) -> None:
    """A verb that gets signals one after the other, and whose cleanup takes some seconds."""
    loop = asyncio.get_running_loop()
    for number in range(signals):
        loop.call_later(0.01 * number, signal.raise_signal, signal.SIGINT)
    with running.of_this_task():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(cleanup)
            ended.append("clean")


@pytest.mark.parametrize("signals", [1, 2])
def test_the_cleanup_goes_on(signals: int) -> None:
    ended = list[str]()
    with Ending("cp") as running, pytest.raises(asyncio.CancelledError):
        asyncio.run(verb(running, signals, 0.1, ended))
    assert (ended, running.code) == (["clean"], 130)


def test_a_signal_that_does_not_interrupt_the_wait_of_the_loop_wakes_it() -> None:
    """As one that comes just before the loop begins to wait. One to another thread has the same effect each time."""

    async def waits(running: Ending) -> None:
        threading.Timer(0.05, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGHUP)).start()
        with running.of_this_task():
            await asyncio.Event().wait()

    with Ending("tee") as running, pytest.raises(asyncio.CancelledError):
        asyncio.run(waits(running))
    assert running.code == 129


@pytest.mark.parametrize(("signals", "grace"), [(3, 60.0), (2, 0.05)])
def test_the_third_signal_and_the_end_of_the_time_end_it(
    signals: int, grace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "GRACE", grace)
    ended = list[str]()
    with Ending("cp") as running, pytest.raises(KeyboardInterrupt):
        asyncio.run(verb(running, signals, 1000, ended))  # longer than the time limit of a test
    assert ended == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_verb_ends_it_with_its_code(number: signal.Signals, code: int) -> None:
    with Ending("cp") as running, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert running.code == code
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("number", ending.CODES)
def test_a_second_signal_ends_the_wait_for_a_thread_and_keeps_the_code(number: signal.Signals) -> None:
    """The verb has ended, and what it called in a thread has not."""
    thread_ends = threading.Event()

    async def in_thread(running: Ending) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, signal.raise_signal, signal.SIGTERM)
        loop.call_later(0.05, signal.raise_signal, number)
        with running.of_this_task():
            await asyncio.to_thread(thread_ends.wait, 60)

    try:
        with Ending("cat") as running, pytest.raises(KeyboardInterrupt):
            asyncio.run(in_thread(running))
    finally:
        thread_ends.set()
    assert running.code == 143


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Ending("cp"):
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
