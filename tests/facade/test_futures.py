"""The second spelling: immutable, lazy, and loud when forgotten."""

import gc
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot import InvalidInput, Operator, Reader
from entrepot.facade.options import UncheckedRange
from entrepot.services import Memory

CONTENT = bytes(range(100))


@pytest.fixture
async def op() -> Operator:
    op = Operator(Memory())
    await op.write("a/b", CONTENT)
    return op


async def test_both_spellings_mean_the_same(op: Operator) -> None:
    etag = (await op.stat("a/b")).etag
    assert etag is not None
    assert await op.read("a/b", range=(2, 9), if_match=etag) == await op.read_with("a/b").range(2, 9).if_match(etag)
    assert await op.stat("a/b", if_match=etag) == await op.stat_with("a/b").if_match(etag)
    async with op.reader("a/b", range=(2, 9), chunk=3) as one, op.reader_with("a/b").range(2, 9).chunk(3) as other:
        assert await one.read() == await other.read() == CONTENT[2:9]


async def test_a_half_built_one_can_be_shared(op: Operator) -> None:
    base = op.read_with("a/b").content_length_hint(100)
    assert await base.range(0, 3) == CONTENT[:3]
    assert await base.range(suffix=3) == CONTENT[-3:]
    assert await base == CONTENT


async def test_a_reader_can_be_awaited_entered_and_iterated(op: Operator) -> None:
    awaited = await op.reader("a/b")
    assert isinstance(awaited, Reader)
    await awaited.aclose()
    async with op.reader("a/b") as entered:
        assert await entered.read() == CONTENT
    assert b"".join([chunk async for chunk in op.reader_with("a/b").chunk(7).concurrent(3)]) == CONTENT


async def test_iterating_gives_chunks_of_the_asked_size(op: Operator) -> None:
    sizes = [len(chunk) async for chunk in op.reader("a/b", chunk=30, concurrent=2)]
    assert sizes == [30, 30, 30, 10]


async def test_one_that_is_never_used_warns_like_a_coroutine(op: Operator) -> None:
    with pytest.warns(RuntimeWarning, match=r"read_with\('a/b', chunk=5\).* was never awaited"):
        op.read_with("a/b").chunk(5)
        gc.collect()


async def test_the_warning_points_at_the_line_that_dropped_it(op: Operator) -> None:
    with pytest.warns(RuntimeWarning, match="never awaited") as caught:
        op.read_with("a/b")
        op.reader("a/b")
    line = test_the_warning_points_at_the_line_that_dropped_it.__code__.co_firstlineno
    assert [(warning.filename, warning.lineno - line) for warning in caught] == [(__file__, 2), (__file__, 3)]


@pytest.mark.filterwarnings("ignore:.*was never (awaited|run)")
async def test_a_for_without_async_says_what_is_missing(op: Operator) -> None:
    async with op.reader("a/b") as reader, op.lister("/") as lister, op.open("a/b") as file:
        for each in (op.reader("a/b"), op.lister_with("/"), op.glob("*"), reader, lister, file):
            with pytest.raises(TypeError, match="iterated with `async for`, not with `for`"):
                for _ in each:  # type: ignore[attr-defined]
                    pass
            assert not isinstance(each, Iterable), "libraries would iterate it, instead of as an AsyncIterable"


@pytest.mark.filterwarnings("ignore:.*was never (awaited|run)")
@pytest.mark.parametrize(
    "call",
    [
        lambda op: op.write("c", op.read("a/b")),
        lambda op: op.write("c", op.read_with("a/b")),
        lambda op: op.write("c", [op.read("a/b")]),
        lambda op: op.write_text("c", op.read_text("a/b")),
        lambda op: op.delete_many(op.list("a/")),
        lambda op: op.stat_many(op.list("a/")),
    ],
)
async def test_an_argument_that_was_not_awaited_is_named(op: Operator, call: Any) -> None:
    with pytest.raises(InvalidInput, match=r"not (coroutine|FutureRead); await it first"):
        await call(op)


@pytest.mark.filterwarnings("ignore:.*was never (awaited|run)")
async def test_the_result_is_missed_by_name(op: Operator) -> None:
    with pytest.raises(AttributeError, match=r"`async with op\.reader\(\.\.\.\) as opened:`, or `opened = await op"):
        _ = op.reader("a/b").read
    with pytest.raises(AttributeError, match=r"async with op\.lister_with"):
        _ = op.lister_with("a/").recursive().next_page
    with pytest.raises(AttributeError, match=r"`result = await op\.read_with\(\.\.\.\)`"):
        _ = op.read_with("a/b").decode
    with pytest.raises(AttributeError, match=r"`result = op\.read_with\(\.\.\.\)\.run\(\)`"):
        _ = op.blocking().read_with("a/b").decode
    with pytest.raises(AttributeError, match=r"'__len__'$"):
        _ = op.read_with("a/b").__len__
    with pytest.raises(TypeError, match="async with"), op.reader("a/b"):
        pass
    with pytest.raises(TypeError, match="async with"), await op.writer("a/b"):
        pass
    with pytest.raises(AttributeError, match=r"`with op\.reader_with\(\.\.\.\) as opened:`"):
        _ = op.blocking().reader_with("a/b").read
    await op.write("c", op.reader("a/b"))  # a source is recognized by its attributes
    assert await op.read("c") == CONTENT


async def test_steps_on_the_way_to_one_that_is_used_do_not_warn(op: Operator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await op.read_with("a/b").range(0, 1).chunk(5).concurrent(2).gap(3) == CONTENT[:1]
        gc.collect()


@pytest.mark.parametrize(
    "options",
    [
        {"chunk": 0},
        {"chunk": -1},
        {"chunk": 1.5},
        {"chunk": True},
        {"concurrent": 0},
        {"concurrent": "2"},
        {"gap": -1},
        {"gap": None},
        {"content_length_hint": -1},
        {"range": (5, 4)},
        {"range": (-1, 4)},
        {"range": (0.5, 4)},
        {"range": "0-4"},
        {"if_match": ""},
        {"if_match": 5},
        {"if_match": "a\r\nX-Evil: 1"},
        {"if_none_match": "ü"},
        {"version": b"1"},
        {"if_modified_since": "yesterday"},
        {"if_modified_since": datetime(2026, 1, 1)},
        {"if_unmodified_since": 5},
    ],
    ids=str,
)
async def test_an_option_that_cannot_work_is_refused_before_any_io(options: dict[str, Any], op: Operator) -> None:
    with pytest.raises(InvalidInput) as caught:
        await op.read("no/such/object", **options)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "read", "no/such/object")
    with pytest.raises(InvalidInput):
        await op.reader("no/such/object", **options)


@pytest.mark.parametrize("name", ["read", "stat"])
async def test_an_option_that_does_not_exist_is_a_type_error(name: str, op: Operator) -> None:
    with pytest.raises(TypeError, match="rnage"):
        await getattr(op, name)("a/b", rnage=(0, 1))


@pytest.mark.parametrize(
    "arguments", [{"start": 5, "end": 4}, {"start": 1, "suffix": 4}, {"start": -1}, {"suffix": "x"}]
)
async def test_a_range_that_cannot_be_is_refused_when_the_call_is_made(op: Operator, arguments: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        await op.read_with("a/b").range(**arguments)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "read", "a/b")


async def test_one_cannot_be_entered_twice_at_once(op: Operator) -> None:
    future = op.reader("a/b")
    async with future as reader:
        with pytest.raises(InvalidInput, match="already entered"):
            await future.__aenter__()
        assert await reader.read() == CONTENT
    async with future as again:
        assert await again.read() == CONTENT


async def test_every_option_of_the_builder_arrives(op: Operator) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    future = (
        op.reader_with("a/b")
        .range(1, 2)
        .version("v")
        .if_match("m")
        .if_none_match("n")
        .if_modified_since(moment)
        .if_unmodified_since(moment)
        .chunk(1)
        .concurrent(2)
        .gap(3)
        .content_length_hint(4)
    )
    assert future._options == {
        "range": UncheckedRange(1, 2, None),
        "version": "v",
        "if_match": "m",
        "if_none_match": "n",
        "if_modified_since": moment,
        "if_unmodified_since": moment,
        "chunk": 1,
        "concurrent": 2,
        "gap": 3,
        "content_length_hint": 4,
    }
    future._used = True
