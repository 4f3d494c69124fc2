"""What is left of a call that is interrupted, and what several threads do with one operator on the loop."""

import gc
import sys
import threading
import time
import weakref

import pytest

from entrepot import InvalidInput, Operator
from entrepot.raw import AroundAccessor, Layer
from entrepot.services import Memory
from tests.reliability.helpers import census

STORAGES = pytest.mark.parametrize("storage", ["fs", "memory", "s3"], indirect=True)
PART = 5 << 20


@STORAGES
def test_an_interrupted_write_leaves_nothing(storage):
    with storage.operator.blocking() as op:

        def pieces():
            yield bytes(PART + 1)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            op.write("a", pieces(), chunk=PART)
        assert not op.exists("a")
        with pytest.raises(KeyboardInterrupt), op.writer("a", chunk=PART) as writer:
            writer.write(bytes(PART + 1))
            raise KeyboardInterrupt
        assert not op.exists("a")
        assert op.write("a", [b"content"]).content_length == 7


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
def test_threads_share_one_operator_and_read_at_the_same_time(storage):
    contents = {name: name.encode() * 100_000 for name in "abcd"}
    for name, content in contents.items():
        storage.put(name, content)
    failures = []
    with storage.operator.blocking() as op:

        def work(name):
            try:
                for _ in range(5):
                    assert op.read(name) == contents[name]
                    assert b"".join(op.reader(name, chunk=30_000, concurrent=2)) == contents[name]
                    with op.reader(name) as reader:
                        assert reader.fetch([(0, 5), (90_000, 90_005)]) == [contents[name][:5]] * 2
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in contents]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert failures == []


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
async def test_it_works_where_a_loop_runs(storage):
    storage.put("a", b"content")
    with storage.operator.blocking() as op:
        assert (op.read("a"), b"".join(op.reader("a"))) == (b"content", b"content")
        assert await storage.operator.read("a") == b"content"


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
@pytest.mark.parametrize(("options", "thread"), [({}, "MainThread"), ({"chunk": 100_000}, "entrepot")])
def test_a_reader_that_is_dropped_is_collected_where_its_connection_lives(storage, options, thread):
    storage.put("a", bytes(1 << 20))
    collected, is_collected = [], threading.Event()
    with storage.operator.blocking() as op:
        reader = op.reader("a", **options)
        reader.read(1)
        weakref.finalize(reader._inner, lambda: (collected.append(threading.current_thread().name), is_collected.set()))
        with pytest.warns(ResourceWarning, match="'a'> was not closed"):
            del reader
        assert is_collected.wait(10)
        assert collected == [thread]
        assert op.read("a", range=(0, 1)) == b"\0"


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
def test_readers_that_are_dropped_half_read_keep_no_connection(storage):
    storage.put("a", bytes(4 << 20))
    with storage.operator.blocking() as op:
        op.read("a", range=(0, 1))
        before = census().sockets
        for _ in range(10):
            with pytest.warns(ResourceWarning, match="'a'> was not closed"):
                op.reader("a").read(1)
        latest = time.monotonic() + 10
        while (now := census().sockets) > before and time.monotonic() < latest:
            time.sleep(0.01)
        assert now <= before


class Collecting(Layer):
    """Collects garbage where requests are made."""

    def wrap(self, accessor, context):
        class Collected(AroundAccessor):
            async def around(self, operation, path, call, *args):
                gc.collect()
                return await call(*args)

        return Collected(accessor)


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
def test_an_iterator_that_is_collected_on_the_loop_gives_back_in_silence(storage, monkeypatch):
    storage.put("a", bytes(4 << 20))
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)

    def drop_in_a_cycle(op):
        chunks = iter(op.reader("a"))
        assert next(chunks)
        cycle = [chunks]
        cycle.append(cycle)

    with storage.operator.blocking() as op:
        op.read("a", range=(0, 1))
        before = census().sockets
        gc.disable()
        try:
            drop_in_a_cycle(op)
            op.layer(Collecting()).stat("a")
        finally:
            gc.enable()
        latest = time.monotonic() + 10
        while (now := census().sockets) > before and time.monotonic() < latest:
            time.sleep(0.01)
        assert (heard, now <= before) == ([], True)


@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
def test_copies_go_between_operators_with_and_without_a_loop(storage):
    memory = Operator(Memory()).blocking()
    with storage.operator.blocking() as op:
        memory.write("a", b"content")
        memory.copy_to(op, "a", "b")
        op.copy_to_with(memory, "b", "c").chunk(3).run()
        op.copy_to(op, "b", "d")
        assert (op.read("b"), memory.read("c"), op.read("d")) == (b"content",) * 3
        with pytest.raises(InvalidInput, match="must be a BlockingOperator") as raised:
            op.copy_to(storage.operator, "b", "e")
        assert (raised.value.kind, raised.value.operation) == ("InvalidInput", "copy_to")
