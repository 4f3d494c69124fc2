"""A process that is killed while it writes leaves the old content or the new one, and nothing that stays."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.services import Fs

from .conftest import names_in

SIZE = 3_000_000

_WRITER = """
import os, sys
from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs

op = Operator(Fs(sys.argv[1]), context=Context(runtime=inline.InlineRuntime()))
parts = lambda number: (bytes([number]) * 100_000 for _ in range(30))
inline.run(op.stat("file"))
while True:  # each life begins in a child, which costs less than an interpreter
    sys.stdin.buffer.read(1) or os._exit(0)
    child = os.fork()
    if child == 0:
        number = 1
        while True:
            number = number % 250 + 1
            inline.run(op.write("file", parts(number), chunk=200_000))
    os.write(1, b"%d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


def check_whole(root: Path) -> None:
    content = (root / "file").read_bytes()
    assert len(content) == SIZE
    assert content == content[:1] * SIZE


def run_rounds(root: Path, rounds: int) -> int:
    """Kills a writer repeatedly. Returns how often it left a temporary file."""
    (root / "file").write_bytes(bytes(SIZE))
    op, left = Operator(Fs(str(root))), 0
    mother = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert mother.stdin is not None
    assert mother.stdout is not None
    try:
        for number in range(rounds):
            mother.stdin.write(b".")
            child = int(mother.stdout.readline())
            time.sleep(random.uniform(0.002, 0.03))
            os.kill(child, signal.SIGKILL)
            assert mother.stdout.readline() == b"ended\n"
            check_whole(root)
            left = len(names_in(root)) - 1
            if number % 2:
                assert [entry.path for entry in asyncio.run(op.list("/"))] == ["/", "file"]
            else:
                asyncio.run(op.write("file", bytes(SIZE)))
        time.sleep(1.1)
        asyncio.run(Operator(Fs(str(root), abandoned_after=1)).list("/"))
        assert names_in(root) == ["file"]
    finally:
        mother.stdin.close()
        assert mother.wait(30) == 0
        mother.stdout.close()
    return left


def test_twenty_killed_writers(root: Path) -> None:
    assert run_rounds(root, 20) > 0


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_five_hundred_killed_writers(root: Path) -> None:
    assert run_rounds(root, 500) > 50


_APPENDER = """
import os, sys
from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs

op = Operator(Fs(sys.argv[1]), context=Context(runtime=inline.InlineRuntime()))
os.write(1, b"ready\\n")
while True:
    inline.run(op.write("log", b"x" * 1023 + b"\\n", append=True))
"""


def test_killed_appenders_leave_whole_lines_and_no_lock(root: Path) -> None:
    """Each line is within one page: the system itself may end a write between two pages when it kills the process."""
    for _ in range(5):
        appender = subprocess.Popen([sys.executable, "-c", _APPENDER, str(root)], stdout=subprocess.PIPE)
        assert appender.stdout is not None
        with appender.stdout:
            assert appender.stdout.readline() == b"ready\n"
            time.sleep(random.uniform(0.005, 0.05))
            appender.kill()
            appender.wait()
    asyncio.run(Operator(Fs(str(root))).write("log", b"last\n", append=True))
    *lines, last = (root / "log").read_bytes().splitlines(keepends=True)
    assert last == b"last\n"
    assert set(lines) == {b"x" * 1023 + b"\n"}
