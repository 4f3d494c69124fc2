"""After an operator is built no operation imports anything: neither when it succeeds nor when it fails or cleans up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import entrepot
from entrepot.services import S3
from entrepot.testing.scripted_server import OneObject, ScriptedServer
from tests.reliability.helpers import run_script

PROGRAM = """
import asyncio, sys
from datetime import timedelta
from entrepot import Operator
from entrepot.layers import RetryLayer
from entrepot.services import Fs, Memory, S3
from entrepot.testing import MockTransport, reply
from entrepot.raw import Context

def answer(request):
    return reply(404 if request.method in ("GET", "HEAD") else 503, b"<Error><Code>SlowDown</Code></Error>")

def build(scheme):
    if scheme == "s3":
        config = S3(bucket="b", region="r", access_key_id="k", secret_access_key="s")
        retry = RetryLayer(max_times=1, min_delay=0)
        return Operator(config, layers=(retry,), context=Context(http=MockTransport(answer)))
    return Operator(Memory() if scheme == "memory" else Fs(sys.argv[2]))

async def fetch():
    async with op.reader("a") as reader:
        await reader.fetch([(0, 1), (2, 3)])

async def receive():
    async with op.reader("a") as reader:
        while True:
            await reader.receive()

async def leave():
    async for _ in op.reader("a", chunk=1, concurrent=2):
        break
    async for _ in op.lister("/"):
        break

async def fail():
    async with op.writer("w", chunk=1, concurrent=2) as writer:
        await writer.write(b"content")
        raise ValueError

async def cancelled():
    async def give():
        yield b"content"
        await asyncio.sleep(60)
    task = asyncio.ensure_future(op.write("c", give()))
    await asyncio.sleep(0.05)
    task.cancel()
    await task

OPERATIONS = {
    "missing": lambda: op.read("missing"), "write": lambda: op.write("a", b"content"), "read": lambda: op.read("a"),
    "chunks": lambda: op.read("a", chunk=2, concurrent=2), "suffix": lambda: op.read_with("a").range(suffix=1),
    "past": lambda: op.read("a", range=(100, 200)), "stat": lambda: op.stat("a"), "exists": lambda: op.exists("d/"),
    "list": lambda: op.list("/"), "recursive": lambda: op.list("/", recursive=True), "prefix": lambda: op.list("a"),
    "condition": lambda: op.write("a", b"", if_not_exists=True), "append": lambda: op.write("a", b"z", append=True),
    "wrong": lambda: op.write("a", 5), "option": lambda: op.read("a", range=5), "stream": lambda: op.write("s", [b"a"]),
    "directory": lambda: op.write("d/", b""), "metadata": lambda: op.write("m", b"", content_type="a/b"),
    "create_dir": lambda: op.create_dir("d/"), "copy": lambda: op.copy("a", "b"), "rename": lambda: op.rename("b", "c"),
    "copy_to": lambda: op.copy_to(other, "a", "b"), "fetch": fetch, "receive": receive, "leave": leave, "fail": fail,
    "cancelled": cancelled, "delete": lambda: op.delete("c"), "tree": lambda: op.delete("d/", recursive=True),
    "many": lambda: op.delete_many(["x", "y/"]),
    "stats": lambda: op.stat_many(["x", "y/"]), "check": lambda: op.check(), "uploads": lambda: op.list_uploads(),
    "abort": lambda: op.abort_uploads("/", older_than=timedelta()), "presign": lambda: op.presign_read("a", 60),
}

async def main():
    for name, call in OPERATIONS.items():
        try:
            await call()
        except (Exception, asyncio.CancelledError):
            pass
        report(name)
    if not isinstance(op._stack.config, S3):
        twin = op.blocking()  # which imports what blocking operators need
        known.update(sys.modules)
        for call in (lambda: twin.write("t", b"t"), lambda: twin.read("missing"), lambda: list(twin.lister("/"))):
            try:
                call()
            except Exception:
                pass
        report("blocking")
    await op.close()
    report("close")

def report(name):
    global known
    ours = sys.stdlib_module_names | {"entrepot", "anyio"}
    new = {module for module in sys.modules if module.partition(".")[0] in ours}
    new = {module for module in new if not module.startswith("entrepot.services.")}  # a service sees to its own
    if new - known:
        print(name, *sorted(new - known))
    known |= new

if "anyio" not in sys.modules:
    del OPERATIONS["receive"]  # only programs of anyio call it
op, other, known = build(sys.argv[1]), build("memory"), set()
report("")
sys.stdout.flush()
asyncio.run(main())
"""


@pytest.mark.parametrize(("scheme", "before"), [("fs", ""), ("memory", ""), ("s3", ""), ("memory", "import anyio")])
def test_no_operation_imports_anything(scheme: str, before: str, tmp_path: Path) -> None:
    program = [sys.executable, "-c", f"{before}\n{PROGRAM}", scheme, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    built, *imported = done.stdout.splitlines()
    assert built.startswith(" ")
    assert imported == []


WITHOUT_ASYNCIO = """
import sys
from entrepot import Operator
op = Operator(argument).blocking()
other = op.at("d/")
known = set(sys.modules)
op.read("a")
op.read("a", chunk=4, concurrent=2)
op.reader("a").fetch([(1, 3), (5, 6)])
op.stat_many(iter(["a", "b"]))
op.copy_to(other, "a", "b")
op.write("a", iter([b"01234", b"56789"]))
op.close()
print(sorted(module for module in set(sys.modules) - known if module.startswith(("asyncio", "entrepot"))))
"""


def test_no_blocking_operation_imports_an_event_loop() -> None:
    """A forked child would wait forever for the import of a thread that it does not have."""
    with ScriptedServer(OneObject(b"0123456789")) as server:
        config = S3(bucket="b", region="r", endpoint=server.endpoint, access_key_id="k", secret_access_key="s")
        ended = run_script(WITHOUT_ASYNCIO, config)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")


def test_every_helper_that_is_imported_on_use_is_named() -> None:
    from entrepot.facade.preload import _HELPERS

    folder = Path(entrepot.__file__).parent / "raw" / "oio"
    shown = "print(*sorted(m for m in sys.modules if m.startswith('entrepot.raw.oio.')))"
    code = f"import sys; from entrepot import Operator; {shown}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    at_import = {tuple(name.split(".")[3:]) for name in done.stdout.split()}
    every = {(file.parent.name, file.stem) for file in folder.glob("*/*.py")}
    every -= {(room, "__init__") for room, _ in every}
    named = {(room, name) for room, names in _HELPERS.items() for name in names.split()}
    assert every - at_import <= named <= every
