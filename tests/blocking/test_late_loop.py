"""An operator of a program without an event loop imports one when the first blocking call needs it, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.services import S3
from entrepot.testing.scripted_server import OneObject, ScriptedServer
from tests.reliability.helpers import run_script

BUILT = """
import sys
from entrepot import Operator
from entrepot.errors import Error
operator = Operator(argument)
def has_loop():
    return bool({"asyncio", "entrepot.raw.http.native"} & set(sys.modules))
"""
PLAIN = """
op = operator.blocking()
with op:
    assert op.read("a") == b"0123456789"
    assert op.read_with("a").range(2, 4).run() == b"0123456789"[2:4]
    assert op.read_with_metadata("a")[1].content_length == 10
    assert op.stat("a").content_length == 10 and op.exists("a")
    op.write("a", b"0123456789")
    op.write("a", ["01234", "56789"][0].encode())
    with op.reader("a") as reader:
        assert reader.read(3) == b"012"
        reader.seek(5)
        assert reader.read() == b"56789"
    with op.open("a", "rb") as file:
        assert file.read() == b"0123456789"
    op.at("d/").read("a")
    op.presign_read("a", 60)
    repr(op), op.info, operator.info
print(has_loop())
"""
OVERLAPPING = {
    "chunks": "assert op.read('a', chunk=4, concurrent=2) == b'0123456789'",
    "fetch": "assert op.reader('a').fetch([(1, 3), (5, 6)]) == [b'12', b'5']",
    "stats": "assert [found.content_length for found in op.stat_many(iter(['a', 'b']))] == [10, 10]",
    "copy_to": "op.copy_to(op.at('d/'), 'a', 'b')",
    "same": "assert op.has_same_content(Operator(argument).blocking(), 'a')",
    "async": "import asyncio; assert asyncio.run(operator.read('a')) == b'0123456789'",
    "pieces": "op.write('a', iter([b'01234', b'56789']))",
}


@pytest.fixture
def config() -> Iterator[S3]:
    with ScriptedServer(OneObject(b"0123456789")) as server:
        yield S3(bucket="b", region="r", endpoint=server.endpoint, access_key_id="k", secret_access_key="s")


def test_calls_with_one_request_import_no_event_loop(config: S3) -> None:
    ended = run_script(f"{BUILT}{PLAIN}", config)
    assert (ended.stdout.strip(), ended.stderr) == ("False", "")


@pytest.mark.parametrize("call", OVERLAPPING.values(), ids=OVERLAPPING)
def test_the_first_call_that_needs_a_loop_imports_it(call: str, config: S3) -> None:
    before = "op = operator.blocking()\nassert op.read('a')\nprint(has_loop())\n"
    source = f"{BUILT}{before}{call}\nprint(has_loop())\nop.close()"
    ended = run_script(source, config)
    assert (ended.stdout.split(), ended.stderr) == (["False", "True"], "")


def test_an_operator_beside_an_event_loop_is_complete_when_it_is_built(config: S3) -> None:
    source = f"import asyncio\n{BUILT}op = operator.blocking()\nknown = set(sys.modules)\nop.stat_many(['a'])\n"
    ended = run_script(f"{source}print({{name for name in sys.modules if 'entrepot' in name}} - known)", config)
    assert (ended.stdout.strip(), ended.stderr) == ("set()", "")


def test_an_operator_of_a_subclass_is_complete_when_it_is_built(config: S3) -> None:
    """Its methods may await anything, so that all of its blocking calls run on a loop."""
    source = f"{BUILT}class Own(Operator): pass\nOwn(argument)\nprint(has_loop())"
    ended = run_script(source, config)
    assert (ended.stdout.strip(), ended.stderr) == ("True", "")


def test_both_stacks_describe_themselves_alike(config: S3) -> None:
    source = f"{BUILT}before = operator.info, repr(operator)\noperator._accessor\n"
    ended = run_script(f"{source}print(operator._accessor.info == before[0], repr(operator) == before[1])", config)
    assert (ended.stdout.split(), ended.stderr) == (["True", "True"], "")


def test_a_loop_that_cannot_be_imported_is_a_temporary_error(config: S3) -> None:
    source = f"""{BUILT}
import os, resource
op = operator.blocking()
op.read("a")
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
try:
    op.stat_many(["a"])
except Error as error:
    print(error.kind, error.is_temporary)
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
print(len(op.stat_many(["a"])))
"""
    ended = run_script(source, config)
    assert (ended.stdout.split(), ended.stderr) == (["Unexpected", "True", "1"], "")


def test_the_end_of_the_interpreter_imports_no_loop(config: S3) -> None:
    """The threads of its executor can no longer register there. A call with one request needs none."""
    source = f"""{BUILT}
import atexit
op = operator.blocking()
def last():
    print(op.read("a"))
    try:
        op.stat_many(["a"])
    except Error as error:
        print(error.kind)
atexit.register(last)
"""
    ended = run_script(source, config)
    assert (ended.stdout.split(), ended.stderr) == (["b'0123456789'", "Unsupported"], "")
