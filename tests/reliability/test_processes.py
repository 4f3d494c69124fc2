"""An operator in a forked child, after which the parent reads on; and in another process, by pickle."""

import asyncio
import pickle
import sys
from pathlib import Path

import pytest

from entrepot.services import Fs, Memory
from tests.reliability.helpers import CONTENT, run_script

STORAGES = pytest.mark.parametrize("storage", ["fs", "http", "s3"], indirect=True)

FORKING = """
import asyncio, gc, os, signal, sys, time
from entrepot import Operator

operator = Operator(argument)

def wait_for(child):
    latest = time.monotonic() + 10
    while time.monotonic() < latest:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"

def behave(how):
    global operator
    if how == "drops":
        del operator
        gc.collect()
        os._exit(0)
    if how == "closes":
        asyncio.run(operator.close())
        os._exit(0)
    if how == "reads":
        os._exit(asyncio.run(operator.read("object")) != expected)
    sys.exit(0)

def fork(how):
    child = os.fork()
    if child == 0:
        behave(how)
        os._exit(9)
    outcomes.append((how, wait_for(child)))

async def read():
    async with asyncio.timeout(10):
        assert await operator.read("object") == expected

outcomes = []
"""

INSIDE = """
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # it waits for the child without letting go
    async with operator.reader("object") as reader:
        assert await reader.read(10) == expected[:10]
        for how in "drops", "closes", "reads", "exits":
            await read()
            fork(how)
            await read()
        assert await reader.read() == expected[10:]

asyncio.run(main())
print(outcomes)
"""

BETWEEN = """
with asyncio.Runner() as runner:
    for how in "drops", "closes", "reads", "exits":
        runner.run(read())
        fork(how)
        runner.run(read())
print(outcomes)
"""

FORK_WARNS = ("-W", "ignore::DeprecationWarning") if sys.version_info >= (3, 12) else ()


@STORAGES
@pytest.mark.parametrize("where", [INSIDE, BETWEEN], ids=["inside a running loop", "between two runs"])
def test_the_parent_reads_on_whatever_a_forked_child_does(storage, where):
    storage.put("object", CONTENT)
    ended = run_script(
        f"{FORKING}\nexpected = bytes(range(256)) * {len(CONTENT) // 256}\n{where}", storage.config, *FORK_WARNS
    )
    outcomes = [("drops", 0), ("closes", 0), ("reads", 0), ("exits", 0)]
    assert (ended.stderr, ended.stdout.strip(), ended.returncode) == ("", str(outcomes), 0)


def test_a_loop_that_was_closed_before_the_fork_is_no_matter(tmp_path):
    Path(tmp_path, "object").write_bytes(CONTENT)
    closed = """
loop = asyncio.new_event_loop()
expected = loop.run_until_complete(operator.read("object"))
loop.close()
"""
    ended = run_script(f"{FORKING}\n{closed}\n{BETWEEN}", Fs(tmp_path), *FORK_WARNS)
    outcomes = [("drops", 0), ("closes", 0), ("reads", 0), ("exits", 0)]
    assert (ended.stderr, ended.stdout.strip(), ended.returncode) == ("", str(outcomes), 0)


@STORAGES
def test_a_pickled_operator_reads_in_another_process(storage):
    storage.put("object", b"content")
    source = 'import asyncio\nprint(asyncio.run(argument.read("object")))'
    ended = run_script(source, storage.operator)
    assert (ended.stdout.strip(), ended.stderr) == ("b'content'", "")


@STORAGES
def test_an_operator_that_was_used_can_be_pickled(storage):
    storage.put("object", b"content")
    operator = storage.operator
    asyncio.run(operator.read("object"))
    copy = pickle.loads(pickle.dumps(operator))
    assert asyncio.run(copy.read("object")) == b"content"


def test_what_holds_its_objects_itself_refuses_to_be_pickled():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Memory())
