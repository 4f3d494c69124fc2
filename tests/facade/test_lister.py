"""The public lister: entries one by one, with one page on its way, whatever happens in between."""

import asyncio
import gc
import warnings
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from entrepot import Capability, Entry, InvalidInput, Lister, Metadata, Operator, Unexpected
from entrepot.raw import Accessor, AccessorInfo, Context, OpList, RpList, ServiceConfig, oio
from entrepot.services import Memory


def entry(path: str) -> Entry:
    return Entry(path, Metadata(content_length=1))


class Pages(oio.List):
    """Three pages of two entries. It waits and fails where it is told to, and goes on where it was."""

    def __init__(self) -> None:
        self.left = [[entry(f"f{page}{one}") for one in "ab"] for page in range(3)]
        self.calls = 0
        self.fails: dict[int, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        self.calls += 1
        error = self.fails.pop(self.calls, None)
        await self.gate.wait()
        if error is not None:
            raise error
        return self.left.pop(0) if self.left else None

    async def close(self) -> None:
        self.is_closed = True


class PagesService(ServiceConfig, Accessor):
    SCHEME = "pages"

    def __init__(self) -> None:
        everything = Capability(list=True, list_can_prefix=True, list_with_recursive=True, list_with_start_after=True)
        self.info = AccessorInfo("pages", native_capability=everything)
        self.body = Pages()
        self.asked: list[tuple[str, OpList]] = []

    def build(self, context: Context) -> Accessor:
        return self

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        self.asked.append((path, args))
        return RpList(), self.body


ALL = ["f0a", "f0b", "f1a", "f1b", "f2a", "f2b"]


@pytest.fixture
def service() -> PagesService:
    return PagesService()


@pytest.fixture
def op(service: PagesService) -> Operator:
    return Operator(service)


async def test_every_way_of_listing_gives_every_entry(service: PagesService) -> None:
    async def one_by_one(lister: Lister) -> list[Entry]:
        found = []
        while (one := await lister.next()) is not None:
            found.append(one)
        assert await lister.next() is None, "the end stays the end"
        return found

    ways: list[Any] = [
        lambda op: op.list("f"),
        lambda op: op.list_with("f"),
        lambda op: _collect(op.lister("f")),
        lambda op: _collect(op.lister_with("f")),
    ]
    for way in ways:
        assert [one.path for one in await way(Operator(PagesService()))] == ALL
    async with Operator(PagesService()).lister("f") as lister:
        assert [one.path for one in await one_by_one(lister)] == ALL
    async with Operator(PagesService()).lister("f") as lister:
        assert [one.path async for one in lister] == ALL


async def _collect(lister: Any) -> list[Entry]:
    return [one async for one in lister]


async def test_opening_asks_nothing_and_options_arrive(op: Operator, service: PagesService) -> None:
    lister = await op.lister("f", recursive=True, start_after="/f0", limit=3)
    assert service.asked == [("f", OpList(recursive=True, start_after="f0", limit=3))]
    assert service.body.calls == 0
    await lister.aclose()
    assert await op.list_with("f").recursive().start_after("f0").limit(3) is not None
    assert service.asked[0] == service.asked[1]


async def test_one_page_is_held_and_the_next_is_fetched_meanwhile(op: Operator, service: PagesService) -> None:
    async with op.lister("f") as lister:
        first = await lister.next()
        await asyncio.sleep(0.01)
        assert first is not None
        assert first.path == "f0a"
        assert service.body.calls == 2, "the page at hand, and the one after it; no more"


async def test_pages_can_be_taken_as_they_come(op: Operator) -> None:
    async with op.lister("f") as lister:
        assert (await lister.next()) == entry("f0a")
        sizes = []
        while page := await lister.next_page():
            sizes.append([one.path for one in page])
        assert sizes == [["f0b"], ["f1a", "f1b"], ["f2a", "f2b"]]


async def test_after_an_error_the_same_call_goes_on(op: Operator, service: PagesService) -> None:
    service.body.fails = {1: Unexpected("lost", is_temporary=True), 3: Unexpected("lost", is_temporary=True)}
    found: list[str] = []
    errors = 0
    async with op.lister("f") as lister:
        while True:
            try:
                one = await lister.next()
            except Unexpected as error:
                errors += 1
                assert (error.scheme, error.operation, error.path) == ("pages", "lister.next", "f")
                continue
            if one is None:
                break
            found.append(one.path)
    assert (found, errors) == (ALL, 2)


async def test_after_a_cancellation_the_same_call_goes_on(op: Operator, service: PagesService) -> None:
    async with op.lister("f") as lister:
        found = [await lister.next() for _ in range(2)]
        service.body.gate.clear()
        found += [await lister.next() for _ in range(2)]  # they were fetched before the gate closed
        task = asyncio.create_task(lister.next())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        service.body.gate.set()
        found += [one async for one in lister]
        assert [one.path for one in found if one] == ALL


async def test_the_next_page_is_requested_before_a_page_is_used(op: Operator, service: PagesService) -> None:
    async with op.lister("f") as lister:
        calls = [service.body.calls async for _ in lister]
    assert calls == [2, 2, 3, 3, 4, 4]


async def test_a_page_is_not_lost_by_a_cancellation_while_the_next_one_is_requested(
    op: Operator, service: PagesService
) -> None:
    async with op.lister("f") as lister:
        task = asyncio.create_task(lister.next_page())
        await asyncio.sleep(0)
        assert service.body.calls == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [one.path async for one in lister] == ALL


async def test_leaving_a_loop_leaves_no_task_and_the_lister_can_be_used_on(op: Operator, service: PagesService) -> None:
    before = asyncio.all_tasks()
    async with op.lister("f") as lister:
        async for one in lister:
            assert one.path == "f0a"
            service.body.gate.clear()
            break
        for _ in range(10):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        service.body.gate.set()
        assert [one.path async for one in lister] == ALL[1:]
    assert service.body.is_closed


async def test_a_page_that_was_fetched_ahead_is_not_lost_when_a_loop_is_left(op: Operator) -> None:
    async with op.lister("f") as lister:
        async with aclosing(aiter(lister)) as entries:
            async for one in entries:
                assert one.path == "f0a"
                await asyncio.sleep(0.01)  # the next page comes
                break
        assert [one.path async for one in lister] == ALL[1:]


async def test_leaving_a_loop_over_the_builder_closes_the_body(op: Operator, service: PagesService) -> None:
    async for _ in op.lister("f"):
        break
    for _ in range(5):
        await asyncio.sleep(0)
    assert service.body.is_closed


async def test_a_closed_one_and_a_busy_one_are_refused(op: Operator, service: PagesService) -> None:
    lister = await op.lister("f")
    service.body.gate.clear()
    task = asyncio.create_task(lister.next())
    await asyncio.sleep(0)
    with pytest.raises(InvalidInput, match="in use"):
        await lister.next()
    service.body.gate.set()
    await task
    await lister.aclose()
    await lister.aclose()
    with pytest.raises(InvalidInput, match="closed") as caught:
        await lister.next()
    assert (caught.value.operation, caught.value.path) == ("lister.next", "f")


async def test_list_closes_the_body_also_when_it_fails(op: Operator, service: PagesService) -> None:
    service.body.fails = {2: Unexpected("lost")}
    with pytest.raises(Unexpected) as caught:
        await op.list("f")
    assert (caught.value.operation, caught.value.path) == ("list", "f")
    assert service.body.is_closed


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": "5"}, {"recursive": 1}, {"start_after": 5}], ids=str)
async def test_an_option_that_cannot_work_is_refused(options: Any, op: Operator, service: PagesService) -> None:
    with pytest.raises(InvalidInput) as caught:
        await op.list("f", **options)
    assert (caught.value.operation, caught.value.path, service.asked) == ("list", "f", [])


async def test_check_asks_for_one_entry(op: Operator, service: PagesService) -> None:
    await op.check()
    assert service.asked == [("/", OpList(limit=1))]
    service.body.fails = {service.body.calls + 1: Unexpected("no bucket")}
    with pytest.raises(Unexpected) as caught:
        await op.check()
    assert (caught.value.operation, caught.value.path) == ("check", "/")


def test_the_name_of_an_entry_is_the_last_of_its_path() -> None:
    names = {"a": "a", "a/b": "b", "a/b/": "b/", "/": "/", "a//": "a//"}
    assert {path: entry(path).name for path in names} == names | {"a//": "a//"}


async def test_a_lister_that_is_dropped_midway_warns_and_names_its_path() -> None:
    op = Operator(Memory())
    await op.write("some/path/a", b"")
    lister = await op.lister("some/path/")
    await lister.next()
    await asyncio.sleep(0.01)  # until the next page is there: while it comes, a task holds the lister
    with pytest.warns(ResourceWarning, match=r"^<Lister memory 'some/path/'> was not closed$"):
        del lister
        gc.collect()


@pytest.mark.parametrize("how", ["unused", "closed", "at its end", "left loop", "left loop of a builder"])
async def test_a_lister_that_holds_nothing_does_not_warn(how: str) -> None:
    op = Operator(Memory())
    await op.write("d/a", b"")
    lister = await op.lister("d/")
    if how == "closed":
        await lister.next()
        await lister.aclose()
    elif how == "at its end":
        while await lister.next() is not None:
            pass
    elif how == "left loop":
        async for _ in lister:
            break
    elif how == "left loop of a builder":
        async for _ in op.lister("d/"):
            break
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del lister
        gc.collect()
        await asyncio.sleep(0)
