"""Nothing is closed by hand, and yet nothing is said on stderr when the loop or the interpreter ends."""

import pytest

from entrepot.services import Fs
from tests.reliability.helpers import CONTENT, run_script

OPERATOR = """
import asyncio, logging, sys
from entrepot import Operator
logging.getLogger("asyncio").setLevel(logging.ERROR)  # not: this machine is slow today
operator = Operator(argument)
"""

LEFT_OPEN = """
async def read():
    global reader
    reader = await operator.reader("object")
    return await reader.read(10)
assert len(asyncio.run(read())) == 10
print(SIZE)
"""

SCRIPTS = {
    "a read": """
print(len(asyncio.run(operator.read("object"))))
""",
    "many reads on two loops": """
async def read():
    return sum(map(len, await asyncio.gather(*(operator.read("object", range=(0, SIZE // 8)) for _ in range(8)))))
asyncio.run(read())
print(asyncio.run(read()))
""",
    "a stream that is broken off": """
async def read():
    async for chunk in operator.reader("object", chunk=1000, concurrent=8, content_length_hint=SIZE):
        return
asyncio.run(read())
print(SIZE)
""",
    "a task that still reads": """
async def read():
    global task
    task = asyncio.ensure_future(operator.read("object"))
    await asyncio.sleep(0.001)
asyncio.run(read())
print(SIZE)
""",
    "sys.exit in a coroutine": """
async def read():
    print(len(await operator.read("object")))
    sys.exit(0)
asyncio.run(read())
""",
}


@pytest.mark.parametrize("storage", ["fs", "http", "s3"], indirect=True)
def test_nothing_is_said_on_stderr(storage):
    storage.put("object", CONTENT)
    heard = {}
    for name, body in SCRIPTS.items():
        ended = run_script(f"{OPERATOR}\nSIZE = {len(CONTENT)}\n{body}", storage.config)
        heard[name] = (ended.returncode, ended.stdout.strip(), ended.stderr)
    assert heard == {name: (0, str(len(CONTENT)), "") for name in SCRIPTS}


def test_a_file_that_is_left_open_is_warned_of_as_every_file_of_python(tmp_path):
    (tmp_path / "object").write_bytes(CONTENT)
    ended = run_script(f"{OPERATOR}\nSIZE = {len(CONTENT)}\n{LEFT_OPEN}", Fs(tmp_path))
    assert (ended.returncode, ended.stdout.strip()) == (0, str(len(CONTENT)))
    assert "ResourceWarning: unclosed file" in ended.stderr


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
def test_a_reader_that_is_left_open_is_warned_of_and_gives_its_connection_back_when_the_loop_ends(storage):
    storage.put("object", CONTENT)
    ended = run_script(f"{OPERATOR}\nSIZE = {len(CONTENT)}\n{LEFT_OPEN}", storage.config)
    assert (ended.returncode, ended.stdout.strip()) == (0, str(len(CONTENT)))
    warned = [line for line in ended.stderr.splitlines() if "Warning" in line]
    assert warned == [f"ResourceWarning: <Reader {storage.scheme} 'object'> was not closed"], ended.stderr
