"""What RetryLayer makes again, when, how often, and what it never makes twice."""

import asyncio
import logging
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from entrepot import (
    Capability,
    ConditionNotMatch,
    ContentIncomplete,
    DeletionsFailed,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    Timeout,
    Unexpected,
)
from entrepot.layers import ChaosLayer, RetryEvent, RetryLayer
from entrepot.raw import (
    DEFAULT_STAT,
    Accessor,
    AccessorInfo,
    Context,
    OpCopy,
    Operation,
    OpRename,
    OpWrite,
    RpDelete,
    RpWrite,
    ServiceConfig,
    oio,
)
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import Fs, Memory
from entrepot.testing import Synthetic, SyntheticTree
from tests.docs.markdown import PROJECT, table
from tests.layers.calls import CALLS, PATH, TARGET, Service
from tests.raw.oio.stores import BUFFER, Faults, MultipartStore

TABLE = table(
    (PROJECT / "docs" / "shipped-layers.md").read_text(), "Call", "Repeated after", "Why a repetition does no harm"
)

stores = pytest.mark.parametrize("make", [lambda folder: Memory(), Fs], ids=["memory", "fs"])


class Clock(AsyncioRuntime):
    """A time of its own, in which waiting takes none. Writes down how long it waited."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


class Flaky(Service):
    """Takes these errors, one after the other, each in the place of an answer; after them it answers."""

    def __init__(self, operation: Operation, *errors: Error) -> None:
        super().__init__()
        self._operation = operation
        self._errors = list(errors)

    def answer(self, operation: Operation, *args: object) -> Any:
        if operation is self._operation and self._errors:
            self.arrived.append((operation, args))
            raise self._errors.pop(0)
        return super().answer(operation, *args)

    def count(self) -> int:
        return sum(operation is self._operation for operation, _ in self.arrived)


def lost() -> Error:
    return Unexpected("the connection was lost", is_temporary=True)


def refused() -> Error:
    return Unexpected("unavailable", context={"status": 503, "retry_after": 0}, is_temporary=True)


def throttled(**context: Any) -> Error:
    return RateLimited("too many requests", context=context)


def stack(service: Accessor, layer: RetryLayer, clock: Clock | None = None) -> Accessor:
    return layer.wrap(service, Context(runtime=clock or Clock()))


async def stat(service: Accessor, layer: RetryLayer, clock: Clock | None = None) -> object:
    return await stack(service, layer, clock).stat(PATH, DEFAULT_STAT)


def with_chance(layer: RetryLayer, chance: Callable[[], float]) -> RetryLayer:
    """The same layer, whose delays are no surprise."""
    object.__setattr__(layer, "_random", chance)
    return layer


class TestWhen:
    """How long it waits, and when it gives up."""

    @pytest.mark.parametrize(
        ("error", "layer", "waits"),
        [
            (lost, RetryLayer(4, jitter=False), [0.05, 0.1, 0.2, 0.4]),
            (lost, RetryLayer(4, 1, 5, 3, jitter=False), [1, 3, 5, 5]),
            (throttled, RetryLayer(4, max_delay=3, jitter=False), [1, 2, 3, 3]),
            (throttled, RetryLayer(2, max_delay=0.5, jitter=False), [0.5, 0.5]),
            (throttled, RetryLayer(2, min_delay=4, jitter=False), [4, 8]),
            (lambda: throttled(retry_after=30), RetryLayer(2, jitter=False), [31, 32]),
            (lambda: throttled(retry_after=60.0), RetryLayer(1, jitter=False), [61]),
            (lambda: Timeout("slow"), RetryLayer(1, jitter=False), [0.05]),
            (lost, RetryLayer(3, min_delay=0, jitter=False), [0, 0, 0]),
            (lost, RetryLayer(2, min_delay=0, max_delay=0), [0, 0]),
            (lost, RetryLayer(3, min_delay=1, max_delay=10**9, factor=1e308, jitter=False), [1, 10**9, 10**9]),
        ],
    )
    async def test_the_delays_grow_up_to_a_limit(
        self, error: Callable[[], Error], layer: RetryLayer, waits: list[float]
    ) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, *(error() for _ in waits))
        assert await stat(service, layer, clock) is CALLS[Operation.STAT][2]
        assert clock.waits == pytest.approx(waits)

    async def test_chance_makes_them_shorter_and_never_longer(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, *(lost() for _ in range(50)))
        layer = with_chance(RetryLayer(50, 1, 1, budget=None), Random(4).random)
        await stat(service, layer, clock)
        expected = Random(4)
        assert clock.waits == [expected.random() for _ in range(50)]
        assert min(clock.waits) < 0.1 and 0.9 < max(clock.waits) < 1

    async def test_the_storage_is_given_the_delay_it_asks_for_and_chance_comes_on_top(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, throttled(retry_after=7))
        await stat(service, with_chance(RetryLayer(), lambda: 0.25), clock)
        assert clock.waits == [7.25]

    async def test_a_storage_that_asks_for_more_than_a_minute_is_not_waited_for(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, throttled(retry_after=61))
        with pytest.raises(RateLimited) as caught:
            await stat(service, RetryLayer(), clock)
        assert (clock.waits, caught.value.context) == ([], {"retry_after": 61, "attempts": 1})

    async def test_the_delay_that_some_of_many_deletions_ask_for_is_given_too(self) -> None:
        refused = throttled(retry_after=7)
        refused.path = "a"
        clock, service = Clock(), Flaky(Operation.STAT, DeletionsFailed.of([refused]))
        await stat(service, with_chance(RetryLayer(), lambda: 0.0), clock)
        assert clock.waits == [7.0]

    async def test_no_attempt_begins_after_the_time_that_is_allowed(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, *(lost() for _ in range(9)))
        with pytest.raises(Unexpected) as caught:
            await stat(service, RetryLayer(9, 1, jitter=False, max_elapsed=7), clock)
        assert (clock.waits, caught.value.context["attempts"]) == ([1, 2], 3)  # with 4 more it would be all of the 7

    async def test_the_delay_that_is_asked_for_counts_as_well(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, throttled(retry_after=9))
        with pytest.raises(RateLimited) as caught:
            await stat(service, RetryLayer(max_elapsed=9), clock)
        assert (clock.waits, service.count(), caught.value.context["attempts"]) == ([], 1, 1)

    async def test_the_last_error_is_raised_as_it_is_with_the_number_of_attempts(self) -> None:
        errors = [lost() for _ in range(4)]
        service = Flaky(Operation.STAT, *errors)
        with pytest.raises(Unexpected) as caught:
            await stat(service, RetryLayer(3))
        assert caught.value is errors[-1]
        assert caught.value.context == {"attempts": 4}
        assert [error.context for error in errors[:-1]] == [{}, {}, {}]
        assert service.count() == 4

    async def test_a_permanent_error_is_raised_at_once_and_unchanged(self) -> None:
        clock, service = Clock(), Flaky(Operation.STAT, NotFound("gone"))
        with pytest.raises(NotFound) as caught:
            await stat(service, RetryLayer(), clock)
        assert (service.count(), clock.waits, caught.value.context) == (1, [], {})

    async def test_a_permanent_error_ends_it_and_tells_the_attempts_before(self) -> None:
        service = Flaky(Operation.STAT, lost(), NotFound("gone"))
        with pytest.raises(NotFound) as caught:
            await stat(service, RetryLayer())
        assert (service.count(), caught.value.context) == (2, {"attempts": 2})

    async def test_what_is_not_an_error_of_ours_is_none_of_its_business(self) -> None:
        class Broken(Service):
            def answer(self, operation: Operation, *args: object) -> Any:
                super().answer(operation, *args)
                raise ConnectionResetError("a bug of the service")

        service = Broken()
        with pytest.raises(ConnectionResetError):
            await stat(service, RetryLayer())
        assert len(service.arrived) == 1


class TestBudget:
    """The tokens that all calls share."""

    async def _fail(self, layer: RetryLayer, make: Callable[[], Error] = lost) -> int:
        """Makes a call that always fails, and tells how many attempts it took."""
        service = Flaky(Operation.STAT, *(make() for _ in range(99)))
        with pytest.raises(Error) as caught:
            await stat(service, layer)
        assert caught.value.context["attempts"] == service.count()
        return service.count()

    async def _succeed(self, layer: RetryLayer, times: int) -> None:
        accessor = stack(Service(), layer)
        for _ in range(times):
            await accessor.stat(PATH, DEFAULT_STAT)

    async def test_there_are_no_retries_without_tokens(self) -> None:
        layer = RetryLayer(3, budget=5 * 14)
        assert [await self._fail(layer) for _ in range(4)] == [4, 3, 1, 1]

    async def test_a_success_gives_one_back(self) -> None:
        layer = RetryLayer(1, budget=14)
        assert [await self._fail(layer), await self._fail(layer)] == [2, 1]
        await self._succeed(layer, 13)
        assert await self._fail(layer) == 1
        await self._succeed(layer, 1)
        assert [await self._fail(layer), await self._fail(layer)] == [2, 1]

    async def test_it_is_never_more_than_at_first(self) -> None:
        layer = RetryLayer(9, budget=14)
        await self._succeed(layer, 100)
        assert await self._fail(layer) == 2

    async def test_throttling_costs_less(self) -> None:
        assert await self._fail(RetryLayer(9, budget=20), throttled) == 5

    async def test_by_default_it_lasts_for_a_while_and_not_longer(self) -> None:
        layer = RetryLayer()
        attempts = [await self._fail(layer) for _ in range(100)]
        assert sum(attempts) - 100 == 500 // 14

    async def test_without_a_budget_there_is_no_end(self) -> None:
        layer = RetryLayer(budget=None)
        assert {await self._fail(layer) for _ in range(50)} == {4}

    async def test_a_call_that_asks_the_storage_nothing_gives_nothing_back(self) -> None:
        layer = RetryLayer(1, budget=14)
        await self._fail(layer)
        op = Operator(Memory()).layer(layer)
        for _ in range(50):
            await (await op.reader("a")).aclose()
        assert await self._fail(layer) == 1


# How a call is made that is one of the exceptions, and which verb of it fails.
async def _conditional(accessor: Accessor, **conditions: Any) -> object:
    return await (await accessor.write(PATH, OpWrite(**conditions)))[1].close()


async def _copy(accessor: Accessor, **conditions: Any) -> object:
    return await (await accessor.copy(PATH, TARGET, OpCopy(**conditions)))[1].close()


async def _append(accessor: Accessor) -> object:
    return await (await accessor.write(PATH, OpWrite(append=True)))[1].write(b"data")


EXCEPTIONS: dict[str, tuple[Operation, Callable[[Accessor], Any]]] = {
    "rename": (Operation.RENAME, lambda one: one.rename(PATH, TARGET, OpRename())),
    "rename, conditional": (Operation.RENAME, lambda one: one.rename(PATH, TARGET, OpRename(if_not_exists=True))),
    "copier.close, if_not_exists": (Operation.COPIER_CLOSE, lambda one: _copy(one, if_not_exists=True)),
    "copier.close, if_match": (Operation.COPIER_CLOSE, lambda one: _copy(one, if_match='"1"')),
    "writer.close, if_not_exists": (Operation.WRITER_CLOSE, lambda one: _conditional(one, if_not_exists=True)),
    "writer.close, if_match": (Operation.WRITER_CLOSE, lambda one: _conditional(one, if_match='"1"')),
    "writer.close, if_none_match": (Operation.WRITER_CLOSE, lambda one: _conditional(one, if_none_match='"1"')),
    "writer.close, append": (Operation.WRITER_CLOSE, lambda one: _conditional(one, append=True)),
    "writer.write, append": (Operation.WRITER_WRITE, _append),
}
exceptions = pytest.mark.parametrize("exception", EXCEPTIONS)


class TestWhat:
    """Which calls are made again."""

    @pytest.mark.parametrize("operation", sorted(set(CALLS) - {Operation.RENAME}), ids=str)
    async def test_a_call_is_made_again_with_the_same_arguments(self, operation: Operation) -> None:
        service = Flaky(operation, lost(), throttled(), Timeout("slow"))
        call, arguments, answer = CALLS[operation]
        assert await call(stack(service, RetryLayer())) is answer
        assert [args for arrived, args in service.arrived if arrived is operation] == [arguments] * 4

    async def test_a_final_error_that_says_what_may_have_been_done_stays_as_it_is(self) -> None:
        for operation in (Operation.WRITER_CLOSE, Operation.DELETE, Operation.RENAME):
            error = NotFound("the temporary file is gone", context={"may_have_taken_effect": True})
            with pytest.raises(NotFound) as caught:
                await CALLS[operation][0](stack(Flaky(operation, error), RetryLayer()))
            assert caught.value.context == {"may_have_taken_effect": True}

    @exceptions
    @pytest.mark.parametrize(
        "error",
        [
            lost(),
            Timeout("slow"),
            *(Unexpected("?", context={"status": n}, is_temporary=True) for n in (499, 500, 502, 503, 504)),
            Unexpected("?", context={"status": 503, "code": "backendError"}, is_temporary=True),
        ],
        ids=lambda error: f"{error.kind}-{error.context.get('status')}",
    )
    async def test_what_may_have_been_done_is_not_done_twice(self, exception: str, error: Error) -> None:
        operation, call = EXCEPTIONS[exception]
        error, clock = pickle.loads(pickle.dumps(error)), Clock()
        service = Flaky(operation, error)
        with pytest.raises(type(error)) as caught:
            await call(stack(service, RetryLayer(), clock))
        assert caught.value is error
        assert (error.context["attempts"], error.context["may_have_taken_effect"]) == (1, True)
        assert (service.count(), clock.waits) == (1, [])

    @exceptions
    @pytest.mark.parametrize(
        "error",
        [
            throttled(),
            *(Unexpected("?", context={"status": n}, is_temporary=True) for n in (400, 408, 429)),
            Unexpected("?", context={"status": 503, "retry_after": 0.0}, is_temporary=True),
            Unexpected("?", context={"status": 503, "code": "ServiceUnavailable"}, is_temporary=True),
            ConditionNotMatch("another request was changing it", context={"status": 409}, is_temporary=True),
        ],
        ids=lambda error: f"{error.kind}-{error.context.get('status')}",
    )
    async def test_what_was_refused_is_asked_for_again(self, exception: str, error: Error) -> None:
        operation, call = EXCEPTIONS[exception]
        service = Flaky(operation, pickle.loads(pickle.dumps(error)))
        assert await call(stack(service, RetryLayer())) is CALLS[operation][2]
        assert service.count() == 2

    @pytest.mark.parametrize("verb", [Operation.WRITER_WRITE, Operation.WRITER_ABORT], ids=str)
    async def test_what_does_not_publish_is_made_again_for_a_conditional_write(self, verb: Operation) -> None:
        service = Flaky(verb, lost())
        body = (await stack(service, RetryLayer()).write(PATH, OpWrite(if_not_exists=True)))[1]
        await (body.write(b"part") if verb is Operation.WRITER_WRITE else body.abort())
        assert service.count() == 2

    def test_the_page_has_every_call_in_its_table(self) -> None:
        named = {name.strip("`") for row in TABLE for name in row[0].replace(",", "").split() if name.startswith("`")}
        assert set(map(str, Operation)) <= named
        once = {row[0].replace("`", "").partition(" ")[0] for row in TABLE if "only refusals" in row[1]}
        assert once == {operation for operation, _ in EXCEPTIONS.values()}


class TestBodies:
    """They go on where they were: what was done is not done again, and nothing is left out."""

    async def test_a_reader_goes_on_at_its_position(self) -> None:
        content = Random(1).randbytes(10_000)
        config = Synthetic(content, read_can_seek=False, read_can_next=False)
        op, verbs = Operator(config, context=Context(runtime=Clock())).layer(RetryLayer(budget=None)), config.script
        for verb in range(5, 400, 3):
            verbs.fail(verb, lost())
        async with op.reader("a") as reader:
            assert b"".join([chunk async for chunk in reader]) == content
        starts = [call.args.range.start for call in verbs.calls if call.operation == "read"]
        assert len(starts) > 100
        assert starts == sorted(set(starts)), "no byte is asked for twice"
        assert {call.args.if_match for call in verbs.calls[1:]} == {'"1"'}

    async def test_a_body_that_ends_too_early_is_read_on(self) -> None:
        config = Synthetic(b"0123456789" * 50, read_can_seek=False)
        config.script.end_early(1, 123)
        op = Operator(config, context=Context(runtime=Clock()))
        with pytest.raises(ContentIncomplete):
            await op.read("a")
        config.script.end_early(2, 123)
        assert await op.layer(RetryLayer()).read("a") == config.content
        assert [call.args.range.start for call in config.script.calls] == [0, 0, 123]

    @pytest.mark.parametrize("checks_if_match", [True, False])
    async def test_a_reader_never_goes_on_in_another_object(self, checks_if_match: bool) -> None:
        config = Synthetic(bytes(1000), read_can_seek=False, read_with_if_match=checks_if_match)
        config.script.fail(4, lost())
        config.script.replace(b"1" * 1000, before=2)
        op = Operator(config, context=Context(runtime=Clock())).layer(RetryLayer())
        with pytest.raises(ConditionNotMatch) as caught:
            await op.read("a")
        assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == ("read", "a", False)
        assert config.script.opens == 2

    async def test_a_writer_sends_the_part_again_that_failed_and_no_other(self) -> None:
        store = MultipartStore(Faults(["refused", None, "lost", "refused", None, None], only="upload_part"))
        content = Random(2).randbytes(5 * BUFFER + 3)
        op = Operator(_InParts(store), context=Context(runtime=Clock())).layer(RetryLayer())
        async with op.writer("a") as writer:
            for start in range(0, len(content), 7):
                await writer.write(content[start : start + 7])
        assert store.content == content
        assert sorted(set(store.sent)) == [(1, 10), (2, 10), (3, 10), (4, 10), (5, 10), (6, 3)]
        assert len(store.sent) == 7, "the one whose reply was lost came twice"
        assert [store.faults.names.count(name) for name in ("initiate", "upload_part", "complete")] == [1, 9, 1]

    async def test_a_listing_goes_on_at_its_page(self) -> None:
        tree = SyntheticTree(page_size=2)
        tree.fill({f"d/{n:02}": b"" for n in range(20)})
        for verb in range(2, 30, 2):
            tree.script.fail(verb, lost())
        op = Operator(tree, context=Context(runtime=Clock())).layer(RetryLayer())
        assert [entry.path for entry in await op.list("d/")] == ["d/", *(f"d/{n:02}" for n in range(20))]
        assert (len(tree.script.calls), tree.script.verbs) == (1, 19)  # 10 pages, and 9 that failed between them

    async def test_a_deleter_deletes_what_is_left(self) -> None:
        storage = _Deleting({"b": [lost()], "c": [PermissionDenied("forbidden")] * 9, "d": [throttled(), lost()]})
        op = Operator(storage, context=Context(runtime=Clock())).layer(RetryLayer())
        with pytest.raises(DeletionsFailed) as caught:
            await op.delete_many(["a", "b", "c", "d"])
        assert [(error.kind, error.path) for error in caught.value.failures] == [("PermissionDenied", "c")]
        assert storage.asked == ["abcd", "bcd", "cd"]

    @stores
    async def test_a_store_of_many_faults_is_written_listed_read_and_deleted_right(
        self, make: Callable[[Path], ServiceConfig], tmp_path: Path
    ) -> None:
        await _round_trip(make(tmp_path))


async def _round_trip(config: ServiceConfig) -> None:
    """100 objects over a storage of which 30 % of all calls fail, half of these after they took effect."""
    chaos = ChaosLayer(seed=5, error_ratio=0.3, truncate_ratio=0.3)
    op = Operator(config).layer(chaos).layer(RetryLayer(20, 0.00001, 0.0001, budget=None))
    chance = Random(3)
    objects = {f"dir/{n:03}": chance.randbytes(chance.randrange(1, 50_000)) for n in range(100)}
    for path, content in objects.items():
        assert (await op.write(path, content)).content_length == len(content)
    assert {entry.path async for entry in op.lister("dir/", limit=7)} - {"dir/"} == set(objects)
    for path, content in objects.items():
        assert await op.read(path) == content
        async with op.reader(path, range=(len(content) // 2, None)) as reader:
            assert b"".join([chunk async for chunk in reader]) == content[len(content) // 2 :]
        assert (await op.stat(path)).content_length == len(content)
    await op.delete_many(list(objects))
    assert [entry.path for entry in await Operator(config).list("dir/") if entry.path != "dir/"] == []


class _InParts(ServiceConfig):
    """One object that is sent in parts."""

    SCHEME = "in-parts"

    def __init__(self, store: MultipartStore) -> None:
        self.store = store

    def build(self, context: Context) -> Accessor:
        store = self.store

        class InParts(Accessor):
            info = AccessorInfo("in-parts", native_capability=Capability(write=True))

            async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
                return RpWrite(), store.writer(context.runtime.window(2))

        return InParts()


class _Deleting(ServiceConfig):
    """Deletes up to ten at once, and fails at each path with the errors that it has for it."""

    SCHEME = "deleting"

    def __init__(self, errors: dict[str, list[Error]]) -> None:
        self.errors = errors
        self.asked: list[str] = []

    def build(self, context: Context) -> Accessor:
        config = self

        class Deleting(Accessor):
            info = AccessorInfo("deleting", native_capability=Capability(delete=True, delete_max_size=10))

            async def delete(self) -> tuple[RpDelete, oio.Delete]:
                return RpDelete(), oio.BatchDeleter(config.delete_one, config.delete_some, 10)

        return Deleting()

    async def delete_one(self, path: str, args: object) -> None:
        raise AssertionError(f"{path} came alone")

    async def delete_some(self, deletions: Any) -> list[Error]:
        paths = [path for path, _ in deletions]
        self.asked.append("".join(paths))
        return [self.errors[path].pop(0).add_context(path=path) for path in paths if self.errors.get(path)]


class TestNothingIsTwice:
    """What users would lose if a lost reply were answered by doing it again."""

    async def test_an_object_that_was_made_by_a_lost_request_is_not_called_one_of_another(self) -> None:
        config = Memory()
        chaos = ChaosLayer(seed=1, error_ratio=0.3, lost_ratio=0.5, operations=["writer.close"])
        op = Operator(config, context=Context(runtime=Clock())).layer(chaos).layer(RetryLayer(50, budget=None))
        unsure = []
        for n in range(100):
            try:
                await op.write(f"{n:02}", b"content", if_not_exists=True)
            except Unexpected as error:
                assert error.context == {"attempts": error.context["attempts"], "may_have_taken_effect": True}
                unsure.append(error.path)
        assert 5 < len(unsure) < 40
        assert len(config.table.objects) == 100, "every lost one was made, and every refused one was made again"

    async def test_what_was_appended_is_there_once(self) -> None:
        config = Memory()
        chaos = ChaosLayer(seed=2, error_ratio=0.3, operations=["writer.close"])
        op = Operator(config, context=Context(runtime=Clock())).layer(chaos).layer(RetryLayer(50, budget=None))
        for n in range(50):
            try:
                await op.write("log", b"%02d." % n, append=True)
            except Unexpected as error:
                assert error.context["may_have_taken_effect"] is True
        assert await op.read("log") == b"".join(b"%02d." % n for n in range(50))


class TestWaiting:
    """What a call is while it waits."""

    async def _begin_waiting(self) -> tuple[asyncio.Task[object], Service]:
        service = Flaky(Operation.STAT, lost())
        accessor = RetryLayer(min_delay=3600, max_delay=3600, jitter=False).wrap(service, Context())
        task = asyncio.ensure_future(accessor.stat(PATH, DEFAULT_STAT))
        for _ in range(5):
            await asyncio.sleep(0)
        assert service.count() == 1 and not task.done()
        return task, service

    async def test_it_can_be_cancelled(self) -> None:
        task, service = await self._begin_waiting()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert service.count() == 1

    async def test_it_is_in_the_task_of_its_caller(self) -> None:
        before = asyncio.all_tasks()
        task, _ = await self._begin_waiting()
        assert asyncio.all_tasks() == before | {task}
        task.cancel()
        await asyncio.wait([task])

    @stores
    def test_without_a_loop_it_waits_too(
        self, make: Callable[[Path], ServiceConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        chaos = ChaosLayer(seed=8, error_ratio=0.5, lost_ratio=0)
        op = Operator(make(tmp_path)).layer(chaos).layer(RetryLayer(50, jitter=False, budget=None)).blocking()
        op.write("a", b"bytes")
        with op.reader("a") as reader:
            assert reader.read() == b"bytes"
        assert [entry.path for entry in op.list("/") if entry.path != "/"] == ["a"]
        op.delete("a")
        assert len(waits) > 5 and set(waits) <= {0.05 * 2**n for n in range(9)}


class TestTelling:
    """What is told of it."""

    async def test_each_retry_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "entrepot"):
            await stat(Flaky(Operation.STAT, lost(), throttled(retry_after=2)), RetryLayer(jitter=False))
        first = f"test stat {PATH!r} failed in attempt 1 and is retried in 0.050 s: Unexpected: the connection was lost"
        second = f"test stat {PATH!r} failed in attempt 2 and is retried in 4.000 s: RateLimited: too many requests"
        assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
            ("entrepot", "INFO", first),
            ("entrepot", "INFO", second),
        ]

    async def test_a_call_that_succeeds_is_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG, "entrepot"):
            await stat(Service(), RetryLayer())
        assert caplog.records == []

    async def test_a_program_without_logging_stays_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "logging")
        await stat(Flaky(Operation.STAT, lost()), RetryLayer())
        assert "logging" not in sys.modules

    async def test_whoever_wants_to_know_is_called_before_each_delay(self) -> None:
        events: list[RetryEvent] = []
        errors = [lost(), throttled()]
        await stat(Flaky(Operation.STAT, *errors), RetryLayer(jitter=False, notify=events.append))
        assert events == [
            RetryEvent(operation="stat", path=PATH, error=errors[0], attempt=1, delay=0.05),
            RetryEvent(operation="stat", path=PATH, error=errors[1], attempt=2, delay=2.0),
        ]

    async def test_what_it_raises_ends_the_call(self) -> None:
        def object_to(event: RetryEvent) -> None:
            raise LookupError(event.operation)

        service, clock = Flaky(Operation.STAT, lost()), Clock()
        with pytest.raises(LookupError, match="stat"):
            await stat(service, RetryLayer(notify=object_to), clock)
        assert (service.count(), clock.waits) == (1, [])

    async def test_a_temporary_error_names_the_layer_unless_it_was_there(self) -> None:
        op = Operator(Memory(), context=Context(runtime=Clock())).layer(ChaosLayer(error_ratio=1, lost_ratio=0))
        with pytest.raises(Unexpected, match=r"^[^\[]+ \(temporary, see RetryLayer\) \["):
            await op.stat("a")
        with pytest.raises(Unexpected, match=r"^[^\[]+ \(temporary\) \[.*attempts=4\]$"):
            await op.layer(RetryLayer()).stat("a")


class TestTheObject:
    """The layer as a value."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("max_times", value) for value in (0, -1, 1.5, True, None, "3")),
            *(("min_delay", value) for value in (-0.1, float("nan"), float("inf"), False, None, "1", 30, 1e30)),
            *(("max_delay", value) for value in (0, -1, 0.04, float("inf"), True, None, 10**400, 1e30)),
            *(("factor", value) for value in (0, 0.5, -2, True, None)),
            *(("jitter", value) for value in (0, 1, None, "yes")),
            *(("max_elapsed", value) for value in (0, -1, True, float("nan"))),
            *(("budget", value) for value in (0, 13, -5, True, 500.0)),
            *(("notify", value) for value in (1, "print")),
        ],
    )
    def test_a_value_that_cannot_work_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(InvalidInput, match=f"{name} ") as caught:
            RetryLayer(**{name: value})
        assert not caught.value.is_temporary

    def test_it_says_what_it_is(self) -> None:
        assert repr(RetryLayer(5, max_elapsed=60)) == (
            "RetryLayer(max_times=5, min_delay=0.05, max_delay=20.0, factor=2.0, jitter=True, max_elapsed=60, "
            "budget=500, notify=None)"
        )

    async def test_a_copy_by_pickle_has_the_same_values_and_all_its_tokens(self) -> None:
        layer = RetryLayer(1, factor=3.0, budget=14, notify=len)
        service = Flaky(Operation.STAT, lost(), lost())
        with pytest.raises(Unexpected):
            await stat(service, layer)
        copy = pickle.loads(pickle.dumps(layer))
        assert repr(copy) == repr(layer)
        assert await stat(Flaky(Operation.STAT, lost()), copy) is CALLS[Operation.STAT][2]
        with pytest.raises(Unexpected):
            await stat(Flaky(Operation.STAT, lost()), layer)

    def test_an_operator_with_it_can_be_pickled(self, tmp_path: Path) -> None:
        op = Operator(Fs(tmp_path)).layer(RetryLayer(7))
        assert repr(pickle.loads(pickle.dumps(op))) == repr(op)

    async def test_two_storages_under_one_layer_share_its_tokens(self) -> None:
        layer = RetryLayer(1, budget=14)
        counts = []
        for service in (Flaky(Operation.STAT, lost(), lost()), Flaky(Operation.STAT, lost(), lost())):
            with pytest.raises(Unexpected):
                await stat(service, layer)
            counts.append(service.count())
        assert counts == [2, 1]
