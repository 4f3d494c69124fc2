"""The template service."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot import BytesRange, ConditionNotMatch, ConfigInvalid, Metadata, NotFound, Operator
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, Context
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


async def test_a_directory_is_there_while_objects_lie_in_it() -> None:
    op = Operator(Memory(root="/root"))
    await op.write("dir/sub/file", b"")
    for path in ("dir/", "dir/sub/", "/"):
        assert (await op.stat(path)).is_dir
    for path in ("dir", "dir/sub", "di/", "dir/sub/file/"):
        with pytest.raises(NotFound) as caught:
            await op.stat(path)
        assert caught.value.path == path


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


async def test_what_was_aborted_was_never_there() -> None:
    accessor = Memory().build(Context())
    _, body = await accessor.write("a", DEFAULT_WRITE)
    await body.write(b"x")
    await body.abort()
    with pytest.raises(NotFound):
        await accessor.stat("a", DEFAULT_STAT)


async def test_an_object_appears_on_close_and_not_before() -> None:
    accessor = Memory().build(Context())
    _, body = await accessor.write("a", DEFAULT_WRITE)
    buffer = bytearray(b"one")
    await body.write(buffer)
    with pytest.raises(NotFound):
        await accessor.stat("a", DEFAULT_STAT)
    assert (await body.close()).content_length == 3


def test_every_operation_works_without_a_loop() -> None:
    accessor = Memory().build(Context(InlineRuntime()))

    async def everything() -> tuple[bytes, Metadata]:
        _, writer = await accessor.write("a", DEFAULT_WRITE)
        await writer.write(b"01234")
        await writer.close()
        _, reader = await accessor.read("a", DEFAULT_READ)
        await reader.seek(-3, 2)
        return await reader.read(9), (await accessor.stat("a", DEFAULT_STAT)).metadata

    data, metadata = run(everything())
    assert data == b"234"
    assert metadata.content_length == 5


async def test_is_made_from_a_mapping_or_a_uri() -> None:
    assert Operator.from_config("memory", root="x").info.root == "/x/"
    assert Operator.from_uri("memory:///a/b").info.root == "/a/b/"
    assert Operator.from_uri("memory").info.root == "/"
    with pytest.raises(ConfigInvalid, match="did you mean 'root'"):
        Operator.from_config("memory", rooot="x")


async def test_a_whole_read_is_not_copied() -> None:
    content = bytes(1000)
    op = Operator(Memory())
    await op.write("a", content)
    assert await op.read("a") is content
    assert await op.read("a", range=BytesRange(0, 10)) == content[:10]
