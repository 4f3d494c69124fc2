"""One table under several threads, and in a forked child."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from entrepot import ConditionNotMatch
from entrepot.raw import OpCopy, OpRename, OpWrite
from entrepot.services import Memory
from entrepot.services.memory.core import Table

THREADS = 4
ROUNDS = 100


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def winners(make: Callable[[Table, int], object]) -> Iterator[int]:
    """How many threads succeed with a call that only the first one may make, round for round."""

    def attempt(table: Table, barrier: Barrier, number: int) -> int:
        barrier.wait(20)
        try:
            make(table, number)
        except ConditionNotMatch:
            return 0
        return 1

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            table, barrier = Memory().table, Barrier(THREADS)
            for number in range(THREADS):
                table.put(f"source-{number}", b"x")
            yield sum(pool.map(attempt, [table] * THREADS, [barrier] * THREADS, range(THREADS)))


@pytest.mark.parametrize(
    "make",
    [
        lambda table, number: table.put("a", b"%d" % number, OpWrite(if_not_exists=True)),
        lambda table, number: table.copy(f"source-{number}", "a", OpCopy(if_not_exists=True)),
        lambda table, number: table.rename(f"source-{number}", "a", OpRename(if_not_exists=True)),
    ],
    ids=["write", "copy", "rename"],
)
def test_one_thread_of_many_makes_what_must_not_exist(make: Callable[[Table, int], object]) -> None:
    assert set(winners(make)) == {1}


def test_appends_of_many_threads_are_all_kept() -> None:
    table = Memory(versioned=True).table

    def append(letter: int) -> None:
        for _ in range(ROUNDS):
            table.put("a", bytes([letter]), OpWrite(append=True))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(append, b"abcd"))
    assert sorted(table.get("a").content) == sorted(b"abcd" * ROUNDS)
    assert len(table.objects["a"]) == THREADS * ROUNDS


FORK = """
import os, signal, threading
from entrepot.services import Memory

is_changing = threading.Event()
table = Memory().table

class Slow(bytes):
    '''Content that takes a while to be stored.'''
    def __radd__(self, before):
        is_changing.set()
        threading.Event().wait(0.3)
        return bytes(self)

threading.Thread(target=table.put, args=("slow", Slow(b"content"))).start()
is_changing.wait(10)
child = os.fork()
if child == 0:
    signal.alarm(10)
    table.put("of the child", b"")
    os._exit(0 if sorted(table.objects) == ["of the child", "slow"] else 1)
status = os.waitpid(child, 0)[1]
assert status == 0, status
assert list(table.objects) == ["slow"]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_child_that_is_forked_during_a_change_can_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr
