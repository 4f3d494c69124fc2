"""The template service."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot import BytesRange, ConditionNotMatch, ConfigInvalid, InvalidInput, NotFound, Operator
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    Operation,
)
from entrepot.raw.runtime.inline import InlineRuntime, run
from entrepot.services import Memory

ODD_NAMES = [
    "a//b",
    " leading and trailing ",
    " ",
    "a/./b",
    "a/../b",
    "%2F",
    "a+b",
    "u\u0308",
    "ü",
    "x" * 1024,
    "a\tb",
    "日本/語",
]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_every_name_is_kept_as_it_is(name: str) -> None:
    memory = Memory()
    op = Operator(memory)
    await op.write(name, b"content")
    assert await op.read(name) == b"content"
    assert (await op.stat(name)).content_length == 7
    assert list(memory.table.objects) == [name]
    await op.copy(name, "copy of it")
    assert await op.read("copy of it") == b"content"
    assert name in [entry.path for entry in await op.list("/", recursive=True)]
    await op.delete(name)
    assert list(memory.table.objects) == ["copy of it"]


async def test_what_is_known_of_an_object() -> None:
    op = Operator(Memory())
    before = datetime.now(UTC)
    written = await op.write("a", b"12345")
    known = await op.stat("a")
    assert known == written
    assert known.is_file
    assert known.content_length == 5
    assert known.last_modified is not None
    assert before <= known.last_modified <= datetime.now(UTC)
    assert (await op.write("a", b"12345")).etag != known.etag


async def test_roots_keep_operators_apart() -> None:
    memory = Memory(root="/a//b/")
    await Operator(memory).write("x", b"1")
    assert memory.table.objects.keys() == {"a/b/x"}


@pytest.mark.parametrize(
    "conditions",
    [
        {"if_match": '"other"'},
        {"if_modified_since": datetime.now(UTC) + timedelta(hours=1)},
        {"if_unmodified_since": datetime.now(UTC) - timedelta(hours=1)},
    ],
)
async def test_conditions_hold_for_stat_and_read(conditions: dict[str, Any]) -> None:
    op = Operator(Memory())
    etag = (await op.write("a", b"x")).etag
    assert etag is not None
    for failing in (conditions, {"if_none_match": etag}):
        with pytest.raises(ConditionNotMatch):
            await op.stat("a", **failing)
        with pytest.raises(ConditionNotMatch):
            await op.read("a", **failing)
    assert await op.read("a", if_match=etag) == b"x"


async def test_a_reader_keeps_the_object_that_it_began_with() -> None:
    op = Operator(Memory())
    await op.write("a", b"old content")
    async with op.reader("a") as reader:
        assert await reader.read(3) == b"old"
        await op.write("a", b"new content")
        assert await reader.read() == b" content"
    assert await op.read("a") == b"new content"


async def test_an_object_appears_on_close_and_not_before() -> None:
    accessor = Memory().build(Context())
    _, body = await accessor.write("a", DEFAULT_WRITE)
    await body.write(bytearray(b"one"))
    with pytest.raises(NotFound):
        await accessor.stat("a", DEFAULT_STAT)
    assert (await body.close()).content_length == 3


def test_every_operation_works_without_a_loop() -> None:
    accessor = Memory().build(Context(InlineRuntime()))

    async def everything() -> tuple[bytes, list[str]]:
        _, writer = await accessor.write("a", DEFAULT_WRITE)
        await writer.write(b"01234")
        await writer.close()
        _, copier = await accessor.copy("a", "b", DEFAULT_COPY)
        await copier.close()
        await accessor.rename("b", "c", DEFAULT_RENAME)
        _, deleter = await accessor.delete()
        await deleter.delete("a", DEFAULT_DELETE)
        await deleter.close()
        _, lister = await accessor.list("/", DEFAULT_LIST)
        _, reader = await accessor.read("c", DEFAULT_READ)
        await reader.seek(-3, 2)
        return await reader.read(9), [entry.path for entry in await lister.next() or ()]

    assert run(everything()) == (b"234", ["c"])


@pytest.mark.parametrize("body", ["lister", "deleter"])
async def test_a_closed_body_is_refused_and_can_be_closed_again(body: str) -> None:
    accessor = Memory().build(Context())
    _, lister = await accessor.list("/", DEFAULT_LIST)
    _, deleter = await accessor.delete()
    for _ in range(2):
        await (lister if body == "lister" else deleter).close()
    with pytest.raises(InvalidInput, match="closed"):
        await (lister.next() if body == "lister" else deleter.delete("a", DEFAULT_DELETE))


async def test_is_made_from_a_mapping_or_a_uri() -> None:
    assert Operator.from_config("memory", root="x").info.root == "/x/"
    assert Operator.from_uri("memory:///a/b").info.root == "/a/b/"
    assert Operator.from_uri("memory").info.root == "/"
    assert Operator.from_uri("memory:///?versioned=true").info.capability.list_with_versions
    with pytest.raises(ConfigInvalid, match="did you mean 'root'"):
        Operator.from_config("memory", rooot="x")


async def test_a_whole_read_is_not_copied() -> None:
    content = bytes(1000)
    op = Operator(Memory())
    await op.write("a", content)
    assert await op.read("a") is content
    assert await op.read("a", range=BytesRange(0, 10)) == content[:10]


class _Counting(Layer):
    """Counts the calls of each name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _CountingAccessor(accessor, self.calls)


class _CountingAccessor(AroundAccessor):
    def __init__(self, inner: Accessor, calls: Counter[str]) -> None:
        super().__init__(inner)
        self._calls = calls

    async def around(self, operation: Operation, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self._calls[operation] += 1
        return await call(*args)


async def test_a_whole_read_is_one_verb_of_one_body() -> None:
    counting = _Counting()
    op = Operator(Memory()).layer(counting)
    await op.write("a", b"content")
    counting.calls.clear()
    assert await op.read("a") == b"content"
    assert counting.calls == {"read": 1, "reader.read": 1, "reader.close": 1}


@pytest.mark.parametrize("concurrent", [None, 1])
async def test_chunks_are_cut_out_of_one_body_and_cannot_be_of_two_contents(concurrent: int | None) -> None:
    counting = _Counting()
    op = Operator(Memory()).layer(counting)
    await op.write("a", b"0123456789")
    found = []
    async for chunk in op.reader("a", chunk=4, concurrent=concurrent):
        found.append(chunk)
        await op.write("a", b"something else of another length")
    assert found == [b"0123", b"4567", b"89"]
    assert counting.calls["read"] == 1
    assert await op.read("a", range=(0, 9), chunk=4) == b"something"
