"""What several signals do to a verb that cleans up."""

import asyncio
import signal
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
    with running:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(cleanup)
            ended.append("clean")


@pytest.mark.parametrize("signals", [1, 2])
def test_the_cleanup_goes_on(signals: int) -> None:
    running, ended = Ending("cp"), list[str]()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(verb(running, signals, 0.1, ended))
    assert (ended, running.signals) == (["clean"], [signal.SIGINT] * signals)


@pytest.mark.parametrize(("signals", "grace"), [(3, 60.0), (2, 0.05)])
def test_the_third_signal_and_the_end_of_the_time_end_it(
    signals: int, grace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "GRACE", grace)
    running, ended = Ending("cp"), list[str]()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(verb(running, signals, 1000, ended))  # longer than the time limit of a test
    assert ended == []


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    async def running() -> None:
        with Ending("cp"):
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.run(running())
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
