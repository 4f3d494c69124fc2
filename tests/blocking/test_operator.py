"""Operations without `await`: with the stack of the operator, and without a loop where none is needed."""

import asyncio
import pickle
import threading

import pytest

import entrepot
from entrepot import BlockingOperator, InvalidInput, NotFound, Operator, Unsupported
from entrepot.blocking import calls
from entrepot.raw import AroundAccessor, Layer
from entrepot.services import Fs, Memory
from tests.reliability.helpers import run_script


class Recording(Layer):
    def __init__(self):
        self.calls = []

    def wrap(self, accessor, context):
        layer = self

        class Recorded(AroundAccessor):
            async def around(self, operation, path, call, *args):
                layer.calls.append((operation.value, path))
                return await call(*args)

        return Recorded(accessor)


@pytest.fixture
def op():
    return Operator(Memory()).blocking()


def test_the_package_gives_the_class():
    assert entrepot.BlockingOperator is BlockingOperator
    assert isinstance(Operator(Memory()).blocking(), BlockingOperator)


def test_it_is_made_from_an_operator_only():
    with pytest.raises(InvalidInput, match="made from an Operator, not Memory"):
        BlockingOperator(Memory())


def test_operations_give_their_results(op):
    assert op.write("a/b", b"content").content_length == 7
    assert op.write_with("a/c", [b"more ", b"content"]).if_not_exists().run().content_length == 12
    assert op.read("a/b", range=(1, 3)) == op.read_with("a/b").range(1, 3).run() == b"on"
    assert op.stat_with("a/b").run() == op.stat("a/b")
    assert (op.exists("a/b"), op.exists("a/x"), op.check()) == (True, False, None)
    assert op.copy_with("a/b", "a/d").run().content_length == 7
    assert op.rename_with("a/d", "a/e").run() is None
    assert [entry.path for entry in op.list_with("a/").recursive().run()] == ["a/", "a/b", "a/c", "a/e"]
    assert op.delete_many(op.lister("a/")) is None
    assert op.create_dir("a/") is None
    assert op.delete_with("a/").recursive().run() is None
    assert [entry.path for entry in op.list("/", recursive=True)] == ["/"]


def test_both_see_the_same_objects_and_the_operator_still_awaits(op):
    operator = Operator(Memory())
    operator.blocking().write("a", b"content")
    assert asyncio.run(operator.read("a")) == b"content"


def test_calls_pass_through_the_layers_of_the_operator():
    before, after = Recording(), Recording()
    operator = Operator(Memory(), layers=(before,)).blocking()
    layered = operator.layer(after)
    layered.write("a", b"content")
    operator.exists("b")
    assert before.calls == [("write", "a"), ("writer.write", "a"), ("writer.close", "a"), ("stat", "b")]
    assert after.calls == before.calls[:3]


def test_errors_are_those_of_the_operator_with_the_frames_of_the_caller(op):
    with pytest.raises(NotFound) as raised:
        op.read("missing")
    error = raised.value
    assert (error.kind, error.operation, error.path, error.scheme) == ("NotFound", "read", "missing", "memory")
    assert raised.traceback[0].name == "test_errors_are_those_of_the_operator_with_the_frames_of_the_caller"
    assert raised.traceback[-1].path.match("memory/core.py")


@pytest.mark.parametrize("storage", ["memory", "http"], indirect=True)
def test_an_async_iterable_is_refused_and_nothing_is_sent(storage):
    recording = Recording()
    op = storage.operator.layer(recording).blocking()

    async def pieces():
        yield b"never"

    for operation, path, call in (
        ("write", "a", lambda: op.write("a", pieces())),
        ("write", "a", lambda: op.write_with("a", pieces()).run()),
        ("delete_many", "/", lambda: op.delete_many(pieces())),
    ):
        with pytest.raises(InvalidInput, match="an async iterable needs an async Operator") as raised:
            call()
        assert (raised.value.kind, raised.value.operation, raised.value.path) == ("InvalidInput", operation, path)
    assert recording.calls == []


def test_data_that_cannot_be_written_is_refused_as_ever(op):
    with pytest.raises(InvalidInput, match="data is bytes, not str") as raised:
        op.write("a", "text")
    assert (raised.value.operation, raised.value.path) == ("write", "a")
    with pytest.raises(InvalidInput, match="many paths or entries are needed") as raised:
        op.delete_many("a")
    assert raised.value.operation == "delete_many"


def test_an_unknown_option_is_refused(op):
    with pytest.raises(TypeError, match="there is no option 'rnage'"):
        op.read("a", rnage=(0, 1))


def test_a_builder_is_immutable_and_says_what_it_is(op):
    op.write("a", b"content")
    whole = op.read_with("a")
    part = whole.range(0, 3)
    assert (whole.run(), part.run(), part.run()) == (b"content", b"con", b"con")
    assert repr(part) == "<read_with('a', range=(start=0, end=3, suffix=None))>"


def test_a_builder_that_is_never_run_warns(op):
    with pytest.warns(RuntimeWarning, match=r"<read_with\('a', chunk=2\)> was never run"):
        op.read_with("a").chunk(2)


def test_a_builder_shows_paths_and_no_data(op):
    with pytest.warns(RuntimeWarning, match=r"^<write_with\('a', <bytes>\)> was never run$"):
        op.write_with("a", b"password")
    for data in (b"password", bytearray(b"password"), [b"password"], memoryview(b"password")):
        call = op.write_with("a", data)
        assert repr(call) == f"<write_with('a', <{type(data).__name__}>)>"
        call.run()


def test_a_builder_is_entered_once(op):
    opening = op.writer_with("a").content_type("text/plain")
    with opening as writer:
        writer.write(b"content")
        with pytest.raises(InvalidInput, match="already entered"), opening:
            raise AssertionError("entered twice")
    assert op.stat("a").content_type == "text/plain"


def test_a_layer_that_waits_for_a_loop_is_told_that_there_is_none():
    class Waiting(Layer):
        def wrap(self, accessor, context):
            class Waits(AroundAccessor):
                async def around(self, operation, path, call, *args):
                    await asyncio.sleep(0)
                    return await call(*args)

            return Waits(accessor)

    op = Operator(Memory(), layers=(Waiting(),)).blocking()
    with pytest.raises(Unsupported, match="suspended under the inline runtime") as raised:
        op.stat("a")
    assert (raised.value.kind, raised.value.operation, raised.value.path) == ("Unsupported", "stat", "a")


def test_repr_shows_no_secret_and_a_pickle_is_used_like_the_original(tmp_path):
    op = Operator(Fs(tmp_path)).blocking()
    assert repr(op) == f"BlockingOperator({Fs(tmp_path)!r})"
    copy = pickle.loads(pickle.dumps(op))
    assert (copy.write("a", b"content").content_length, op.read("a"), repr(copy)) == (7, b"content", repr(op))


def test_leaving_it_leaves_it_usable(op):
    with op as same:
        assert same is op
        op.write("a", b"content")
    op.close()
    assert op.read("a") == b"content"


async def test_it_works_where_a_loop_runs(op, tmp_path):
    for twin in (op, Operator(Fs(tmp_path)).blocking()):
        twin.write("a", iter([b"con", b"tent"]))
        assert list(twin.reader("a", chunk=3, concurrent=2)) == [b"con", b"ten", b"t"]


def test_threads_share_one_operator(tmp_path):
    op = Operator(Fs(tmp_path)).blocking()
    failures = []

    def work(name):
        try:
            for number in range(30):
                op.write(f"{name}/{number}", bytes([number]) * 1000)
                assert op.read(f"{name}/{number}", range=(1, 900)) == bytes([number]) * 899
            assert len(op.list(f"{name}/")) == 31
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []


def test_a_local_operator_loads_no_event_loop_and_starts_no_thread(tmp_path):
    source = """
import sys, threading
from entrepot import Operator
op = Operator(argument).blocking()
op.write("a", [b"con", b"tent"])
with op.reader("a") as reader:
    assert reader.read() == b"content"
assert [entry.path for entry in op.lister("/")] == ["/", "a"]
op.delete_many(op.lister("/"))
print({"asyncio", "anyio", "aiohttp"} & set(sys.modules), threading.active_count())
"""
    ended = run_script(source, Fs(tmp_path))
    assert (ended.stdout.strip(), ended.stderr) == ("set() 1", "")


@pytest.mark.parametrize("name", [name for name in vars(calls) if name.endswith("Call") and name != "EnteredCall"])
def test_each_step_of_a_builder_sets_the_option_of_its_name(name):
    builder = getattr(calls, name)
    generated = [vars(base) for base in builder.__mro__ if base.__module__ == calls.__name__]
    for step in {step for members in generated for step in members if not step.startswith("_")} - {"range"}:
        assert getattr(builder(dict, step, ()), step)("value").run() == {step: "value"}
