"""The sessions of a stateful protocol: how many there are, who shares them, and which are thrown away."""

from __future__ import annotations

import asyncio
import errno

import pytest

from entrepot import Timeout, Unexpected
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.pool import Pool
from entrepot.raw.runtime.asyncio import AsyncioRuntime


class Session:
    def __init__(self) -> None:
        self.is_usable = True
        self.is_doubtful = False
        self.works = True
        self.checks = 0

    async def check(self) -> bool:
        self.checks += 1
        self.is_doubtful = False
        return self.works

    def close(self) -> None:
        self.is_usable = False

    async def wait_closed(self) -> None:
        return None


class Clock(AsyncioRuntime):
    """Time that passes when it is told to. Nobody sleeps for long."""

    def __init__(self) -> None:
        self.time = 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.001))

    def now(self) -> float:  # type: ignore[override]
        return self.time


class Server:
    """Makes sessions and remembers them."""

    def __init__(self) -> None:
        self.made: list[Session] = []
        self.failure: Exception | None = None

    async def connect(self) -> Session:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.made.append(Session())
        return self.made[-1]

    @property
    def open(self) -> int:
        return sum(session.is_usable for session in self.made)


def pool_of(server: Server, *, limit: int = 2, users: int = 1, patience: float = 5.0) -> tuple[Pool[Session], Clock]:
    clock = Clock()
    return Pool(clock, server.connect, limit=limit, users=users, patience=patience), clock


async def test_a_session_is_used_again_and_the_last_used_one_first() -> None:
    server = Server()
    pool, clock = pool_of(server)
    first, second = await pool.take(), await pool.take()
    clock.time = 1
    await first.give_back()
    clock.time = 2
    await second.give_back()
    async with await pool.take() as session:
        assert session is second.session
    assert len(server.made) == len(pool) == 2
    await pool.close()


async def test_a_caller_waits_for_a_session_and_the_wait_is_bounded() -> None:
    server = Server()
    pool, _ = pool_of(server, limit=1, patience=0.05)
    lease = await pool.take()
    with pytest.raises(Timeout, match="in use"):
        await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    await lease.give_back()
    await lease.give_back()  # a second time it does nothing
    assert (await waiting).session is lease.session
    await pool.close()


async def test_a_caller_waits_as_long_as_the_sessions_are_used() -> None:
    server, patience = Server(), 0.1
    pool, _ = pool_of(server, limit=1, patience=patience)
    lease = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    for _ in range(8):
        await asyncio.sleep(patience / 4)
        pool.note_use()
    assert not waiting.done()
    await lease.give_back()
    await (await waiting).give_back()
    await pool.close()


async def test_callers_who_arrive_together_share_one_connection() -> None:
    server = Server()
    pool, _ = pool_of(server, limit=2, users=10)
    leases = await asyncio.gather(*(pool.take() for _ in range(10)))
    assert len(server.made) == 1
    another = await pool.take()
    assert len(server.made) == 2
    for lease in [*leases, another]:
        await lease.give_back()
    await pool.close()
    assert server.open == 0


async def test_a_session_in_an_unknown_state_is_thrown_away() -> None:
    server = Server()
    pool, _ = pool_of(server, limit=1)
    lease = await pool.take()
    lease.session.is_usable = False
    await lease.give_back()
    assert len(pool) == 0
    async with await pool.take() as session:
        assert session is not lease.session
    await pool.close()


async def test_a_session_that_broke_while_it_was_idle_is_not_used() -> None:
    server = Server()
    pool, _ = pool_of(server)
    async with await pool.take() as broken:
        pass
    broken.is_usable = False
    async with await pool.take() as session:
        assert session is not broken
    await pool.close()


async def test_sessions_that_broke_while_they_were_idle_do_not_add_up() -> None:
    server = Server()
    pool, _ = pool_of(server)
    for _ in range(5):
        async with await pool.take() as broken:
            assert len(pool) == 1
        broken.is_usable = False
    await pool.close()


@pytest.mark.parametrize(("idle", "is_doubtful", "checks"), [(1, False, 0), (1, True, 1), (11, False, 1)])
async def test_a_session_is_checked_after_a_silence_or_a_doubt(idle: float, is_doubtful: bool, checks: int) -> None:
    server = Server()
    pool, clock = pool_of(server)
    async with await pool.take() as first:
        first.is_doubtful = is_doubtful
    clock.time += idle
    async with await pool.take() as session:
        assert session is first
    assert first.checks == checks
    clock.time += idle
    first.works, first.is_doubtful = False, is_doubtful
    async with await pool.take() as session:
        assert (session is first) is (checks == 0)
    await pool.close()


async def test_a_failed_or_cancelled_connection_frees_its_place() -> None:
    server = Server()
    pool, _ = pool_of(server, limit=1)
    server.failure = Unexpected("refused")
    for _ in range(3):
        with pytest.raises(Unexpected, match="refused"):
            await pool.take()
    server.failure = None
    cancelled = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    async with await pool.take():
        assert server.open == 1
    await pool.close()


async def test_a_release_closes_idle_sessions_now_and_the_others_when_they_are_given_back() -> None:
    server = Server()
    pool, _ = pool_of(server)
    used, idle = await pool.take(), await pool.take()
    await idle.give_back()
    await pool.release()
    assert (used.session.is_usable, idle.session.is_usable) == (True, False)
    async with await pool.take() as session:
        assert session is not used.session
    await used.give_back()
    assert [session.is_usable for session in server.made] == [False, False, True]
    await pool.close()
    assert server.open == 0


async def test_the_end_of_a_loop_closes_all_sessions() -> None:
    server = Server()
    pool, _ = pool_of(server)
    used = await pool.take()
    await pool.close()
    assert server.open == 0
    await used.give_back()


async def test_a_use_that_is_forgotten_ends() -> None:
    server = Server()
    pool, _ = pool_of(server, limit=1, patience=0.05)
    forgotten = await pool.take()
    session = forgotten.session
    del forgotten
    async with await pool.take() as again:
        assert again is session
    await pool.close()


async def test_idle_sessions_are_closed_after_a_while() -> None:
    server = Server()
    clock = Clock()
    pool = Pool(clock, server.connect, limit=2, idle_seconds=0.02)
    used, idle = await pool.take(), await pool.take()
    await idle.give_back()
    clock.time = 1
    while idle.session.is_usable:
        await asyncio.sleep(0.005)
    assert used.session.is_usable
    await used.give_back()
    clock.time = 2
    while len(pool):
        await asyncio.sleep(0.005)
    async with await pool.take():
        assert len(server.made) == 3
    await pool.close()


async def test_a_session_that_is_taken_while_another_idle_one_closes_stays_open() -> None:
    server = Server()
    pool, clock = pool_of(server)
    first, second = await pool.take(), await pool.take()
    closing, taken = asyncio.Event(), asyncio.Event()

    async def wait_closed() -> None:
        closing.set()
        await taken.wait()

    first.session.wait_closed = second.session.wait_closed = wait_closed  # type: ignore[method-assign]
    await first.give_back()
    await second.give_back()
    clock.time = 1000
    await closing.wait()
    async with await pool.take() as session:
        taken.set()
        await asyncio.sleep(0.01)
        assert session.is_usable
    await pool.close()


class FewFiles(Server):
    """Makes at most so many sessions at a time: the process can open no further file."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.refusals = 0

    async def connect(self) -> Session:
        await asyncio.sleep(0)
        if self.open >= self.most:
            self.refusals += 1
            raise with_file_limit(Unexpected("no session", is_temporary=True), OSError(errno.EMFILE, "too many"))
        self.made.append(Session())
        return self.made[-1]


async def use(pool: Pool[Session]) -> None:
    async with await pool.take():
        await asyncio.sleep(0)


async def test_callers_without_a_file_wait_for_the_sessions_that_there_are() -> None:
    server = FewFiles(3)
    pool, _ = pool_of(server, limit=20)
    await asyncio.gather(*(use(pool) for _ in range(50)))
    assert len(pool) == 3
    assert 0 < server.refusals <= 20
    server.most = 20
    leases = [await pool.take() for _ in range(20)]
    assert len(pool) == 20
    for lease in leases:
        await lease.give_back()
    await pool.close()


async def test_a_session_that_many_use_is_awaited_too() -> None:
    server = FewFiles(1)
    pool, _ = pool_of(server, limit=4, users=3)
    await asyncio.gather(*(use(pool) for _ in range(20)))
    assert len(pool) == 1
    await pool.close()


async def test_without_any_file_all_callers_fail_and_none_waits() -> None:
    server = FewFiles(0)
    pool, _ = pool_of(server, limit=5)
    failures = await asyncio.gather(*(pool.take() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(failure, Unexpected) and failure.errno == errno.EMFILE for failure in failures)
    server.most = 5
    await asyncio.gather(*(use(pool) for _ in range(20)))
    assert len(pool) == 5
    await pool.close()


async def test_a_cancelled_wait_for_a_file_leaves_its_place_to_the_next() -> None:
    server = FewFiles(1)
    pool, _ = pool_of(server, limit=3)
    lease = await pool.take()
    second, third = (asyncio.ensure_future(pool.take()) for _ in range(2))
    while server.refusals < 2:
        await asyncio.sleep(0)
    second.cancel()
    await lease.give_back()
    await (await third).give_back()
    server.most = 3
    leases = [await pool.take() for _ in range(3)]
    assert len(pool) == 3
    for lease in leases:
        await lease.give_back()
    await pool.close()


async def test_a_session_that_is_thrown_away_is_closed_before_the_next_caller_needs_its_file() -> None:
    server = FewFiles(1)
    pool, _ = pool_of(server)
    lease = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    while not server.refusals:
        await asyncio.sleep(0)
    broken = lease.session

    async def wait_closed() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        server.most = 2  # the file is free now, and not before

    broken.wait_closed = wait_closed  # type: ignore[method-assign]
    server.most, broken.is_usable = 0, False
    await lease.give_back()
    await (await waiting).give_back()
    await pool.close()


async def test_a_caller_that_waits_for_its_own_session_is_told_of_the_lack_of_files() -> None:
    pool, _ = pool_of(FewFiles(1), patience=0.05)
    async with await pool.take():
        with pytest.raises(Timeout, match="too many open files"):
            await pool.take()
    await pool.close()
