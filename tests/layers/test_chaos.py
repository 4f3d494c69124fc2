"""The faults of ChaosLayer: where they come, what they are, and what they never are."""

import asyncio
import pickle
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from entrepot import ContentIncomplete, Error, InvalidInput, Operator, Unexpected
from entrepot.layers import ChaosLayer
from entrepot.raw import DEFAULT_LIST, DEFAULT_READ, DEFAULT_STAT, OPERATIONS, Accessor, Context, Operation
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import Fs, Memory
from tests.layers.calls import CALLS, DIRECTORY, PATH, PATHS, Service

T = TypeVar("T")

WITHOUT_REPLY = {
    Operation.READ,
    Operation.READER_SEEK,
    Operation.WRITE,
    Operation.WRITER_WRITE,
    Operation.DELETE,
    Operation.LIST,
    Operation.COPY,
}
CONTENT = Random(1).randbytes(300_000)
every_operation = pytest.mark.parametrize("operation", CALLS, ids=str)
stores = pytest.mark.parametrize("make", [lambda folder: Memory(), Fs], ids=["memory", "fs"])


class NoWaiting(AsyncioRuntime):
    """Writes down how long it should have waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def stack(service: Accessor, layer: ChaosLayer) -> Accessor:
    return layer.wrap(service, Context())


async def persist(call: Callable[[], Awaitable[T]], errors: list[Error]) -> T:
    """Makes a call until it succeeds, and notes the temporary errors."""
    while True:
        try:
            return await call()
        except Error as error:
            assert error.is_temporary
            errors.append(error)


@every_operation
async def test_a_refused_call_does_not_reach_the_service(operation: Operation) -> None:
    service = Service()
    with pytest.raises(Unexpected, match="refused") as caught:
        await CALLS[operation][0](stack(service, ChaosLayer(error_ratio=1, lost_ratio=0, operations=[operation])))
    error = caught.value
    assert (error.scheme, error.operation, error.path) == ("test", operation, PATHS.get(operation, PATH))
    assert error.is_temporary and error.context == {"status": 503, "code": "ServiceUnavailable"}
    assert operation not in [arrived for arrived, _ in service.arrived]


@every_operation
async def test_a_lost_reply_is_one_of_a_call_that_took_effect(operation: Operation) -> None:
    service = Service()
    with pytest.raises(Unexpected) as caught:
        await CALLS[operation][0](stack(service, ChaosLayer(error_ratio=1, lost_ratio=1, operations=[operation])))
    error = caught.value
    assert (error.scheme, error.operation, error.path) == ("test", operation, PATHS.get(operation, PATH))
    took_effect = operation in [arrived for arrived, _ in service.arrived]
    assert took_effect == (operation not in WITHOUT_REPLY)
    assert error.is_temporary and ("status" in error.context) != took_effect


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_is_not_named_is_the_inner_bound_method(operation: str) -> None:
    service = Service()
    wrapped = stack(service, ChaosLayer(operations=["stat", Operation.READER_NEXT]))
    assert (getattr(wrapped, operation) == getattr(service, operation)) == (operation not in {"stat", "read"})


async def test_a_verb_that_is_not_named_does_not_fail() -> None:
    layer = ChaosLayer(error_ratio=1, truncate_ratio=1, operations=["reader.close", "lister.close"])
    accessor = stack(Service(), layer)
    body = (await accessor.read(PATH, DEFAULT_READ))[1]
    assert [await body.read(3), await body.next(), await body.seek(-2, 2)] == [b"abc", b"abcdefg", 5]
    lister = (await accessor.list(DIRECTORY, DEFAULT_LIST))[1]
    assert await lister.next() is CALLS[Operation.LISTER_NEXT][2]
    for close in (body.close, lister.close):
        with pytest.raises(Unexpected):
            await close()


@stores
@pytest.mark.parametrize("seed", range(4))
async def test_a_reader_that_persists_has_every_byte_once(
    seed: int, make: Callable[[Path], Any], tmp_path: Path
) -> None:
    op = Operator(make(tmp_path))
    await op.write("a", CONTENT)
    errors: list[Error] = []
    shaky = op.layer(ChaosLayer(seed=seed, error_ratio=0.4, truncate_ratio=0.4))
    reader = await persist(lambda: shaky.reader("a"), errors)
    chance, data = Random(seed), b""
    while len(data) < len(CONTENT):
        size = chance.choice([0, 1, 100, 40_000])
        data += (
            await persist(reader.next, errors) or b""
            if not size
            else await persist(lambda n=size: reader.read(n), errors)
        )
        assert reader.tell() == len(data)
    assert data == CONTENT
    assert await persist(reader.next, errors) is None
    assert await persist(lambda: reader.seek(-5, 2), errors) == len(CONTENT) - 5
    assert await persist(reader.read, errors) == CONTENT[-5:]
    await persist(reader.aclose, errors)
    assert {error.message.partition(" (")[0] for error in errors} == {
        "the call was refused",
        "the response was lost",
        "the content is truncated",
    }


@pytest.mark.parametrize("size", [1, 2, 9])
async def test_a_truncated_read_gives_a_beginning_and_then_says_so(size: int) -> None:
    op = Operator(Memory())
    await op.write("a", CONTENT[:size])
    cut = op.layer(ChaosLayer(error_ratio=0, truncate_ratio=1))
    async with cut.reader("a") as reader:
        first = await reader.next()
        assert first and CONTENT.startswith(first) and len(first) == (size + 1) // 2
        with pytest.raises(ContentIncomplete) as caught:
            await reader.next()
    assert (caught.value.path, caught.value.is_temporary) == ("a", True)
    with pytest.raises(ContentIncomplete) as caught:
        await cut.read("a")
    assert (caught.value.operation, caught.value.path) == ("read", "a")


async def test_a_listing_that_persists_has_every_page_once() -> None:
    op = Operator(Memory())
    for n in range(60):
        await op.write(f"d/{n:02}", b"")
    errors: list[Error] = []
    shaky = op.layer(ChaosLayer(seed=1, error_ratio=0.5))
    lister = await persist(lambda: shaky.lister("d/", limit=3), errors)
    paths = []
    while entry := await persist(lister.next, errors):
        paths.append(entry.path)
    assert paths == ["d/", *(f"d/{n:02}" for n in range(60))]
    assert any("lost" in error.message for error in errors) and any("refused" in error.message for error in errors)
    await persist(lister.aclose, errors)


async def test_a_write_that_persists_stores_each_byte_once() -> None:
    op = Operator(Memory())
    shaky = op.layer(ChaosLayer(seed=1, error_ratio=0.5))
    errors: list[Error] = []
    for _ in range(30):
        writer = await persist(lambda: shaky.writer("a"), errors)
        for start in range(0, 50, 5):
            await persist(partial(writer.write, CONTENT[start : start + 5]), errors)
        assert (await persist(writer.close, errors)).content_length == 50
        assert await op.read("a") == CONTENT[:50]
    assert any(error.operation == "writer.close" and "lost" in error.message for error in errors)


async def _fates(layer: ChaosLayer) -> list[str]:
    accessor, fates = stack(Service(), layer), []
    for _ in range(1000):
        try:
            await accessor.stat(PATH, DEFAULT_STAT)
        except Unexpected as error:
            fates.append(error.message.partition(" (")[0])
        else:
            fates.append("")
    return fates


async def test_a_seed_gives_the_same_faults_again() -> None:
    fates = await _fates(ChaosLayer(7))
    assert fates == await _fates(ChaosLayer(7))
    assert fates != await _fates(ChaosLayer(8))
    assert await _fates(ChaosLayer()) != await _fates(ChaosLayer())


@pytest.mark.parametrize(("error_ratio", "lost_ratio"), [(0.1, 0.5), (0.3, 0.5), (0.5, 0.2), (0, 1), (1, 0)])
async def test_there_are_as_many_as_the_ratios_say(error_ratio: float, lost_ratio: float) -> None:
    fates = await _fates(ChaosLayer(3, error_ratio, lost_ratio=lost_ratio))
    lost, refused = fates.count("the response was lost"), fates.count("the call was refused")
    assert abs(lost - 1000 * error_ratio * lost_ratio) <= 50 * bool(error_ratio * lost_ratio)
    assert abs(refused - 1000 * error_ratio * (1 - lost_ratio)) <= 50 * (0 < error_ratio < 1)


async def test_calls_wait_for_no_longer_than_they_may() -> None:
    runtime = NoWaiting()
    op = Operator(Memory(), context=Context(runtime=runtime)).layer(ChaosLayer(5, 0, latency=0.2, operations=["list"]))
    for _ in range(100):
        await op.list("/")
    assert len(runtime.waits) == 100
    assert 0 <= min(runtime.waits) < 0.02 and 0.18 < max(runtime.waits) < 0.2


async def test_without_latency_nothing_waits() -> None:
    runtime = NoWaiting()
    await Operator(Memory(), context=Context(runtime=runtime)).layer(ChaosLayer(error_ratio=0)).list("/")
    assert runtime.waits == []


async def test_a_call_that_waits_can_be_cancelled_and_runs_in_the_task_of_its_caller() -> None:
    service, before = Service(), asyncio.all_tasks()
    task = asyncio.ensure_future(stack(service, ChaosLayer(1, latency=10_000.0)).stat(PATH, DEFAULT_STAT))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before | {task}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.arrived == []


@stores
def test_without_a_loop_there_are_the_same_faults(
    make: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    config = make(tmp_path)
    op = Operator(config).layer(ChaosLayer(2, 0.5, latency=3.0, operations=["writer.close"])).blocking()
    fates = []
    for n in range(20):
        try:
            fates.append(op.write(f"{n}", b"bytes").content_length)
        except Unexpected as error:
            fates.append(error.path)
    assert len(waits) == 20 and max(waits) < 3
    failed = [fate for fate in fates if fate != 5]
    assert 3 < len(failed) < 17
    stored = {entry.path for entry in Operator(config).blocking().list("/")} & set(failed)
    assert 0 < len(stored) < len(failed), "some were refused, and of some only the reply was lost"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", value) for value in (1.5, True, "1")),
        *(
            (name, value)
            for name in ("error_ratio", "truncate_ratio", "lost_ratio")
            for value in (-0.1, 1.1, True, None)
        ),
        *(("latency", value) for value in (-1, float("nan"), float("inf"), "1", False)),
        *(("operations", value) for value in ("stat", 5, [], ["stat", "stats"], [None], ["reader"])),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} "):
        ChaosLayer(**{name: value})


def test_it_says_what_it_is() -> None:
    assert repr(ChaosLayer(7, operations={"stat"})) == (
        "ChaosLayer(seed=7, error_ratio=0.1, latency=0.0, truncate_ratio=0.0, operations=(<Operation.STAT: 'stat'>,), "
        "lost_ratio=0.5)"
    )


async def test_a_copy_by_pickle_begins_anew() -> None:
    layer = ChaosLayer(7, 0.5, operations=["stat"])
    fates = await _fates(layer)
    copy = pickle.loads(pickle.dumps(layer))
    assert repr(copy) == repr(layer)
    assert await _fates(copy) == fates
    assert await _fates(layer) != fates
