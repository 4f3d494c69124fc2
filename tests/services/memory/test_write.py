"""Writing, copying, renaming and deleting: what is stored beside the content, and under which conditions."""

from typing import Any

import pytest

from entrepot import ConditionNotMatch, NotFound, Operator
from entrepot.services import Memory

DESCRIPTIONS: dict[str, Any] = {
    "content_type": "text/plain",
    "content_disposition": "inline",
    "content_encoding": "gzip",
    "cache_control": "no-store",
    "user_metadata": {"owner": "donald"},
}


@pytest.fixture
def op() -> Operator:
    return Operator(Memory())


def described(metadata: Any) -> dict[str, Any]:
    return {name: getattr(metadata, name) for name in DESCRIPTIONS}


async def refused(call: Any, operation: str, path: str, condition: str) -> None:
    with pytest.raises(ConditionNotMatch, match=condition) as caught:
        await call
    assert (caught.value.kind, caught.value.operation, caught.value.path) == ("ConditionNotMatch", operation, path)


async def test_what_a_write_says_of_an_object_is_kept_beside_it(op: Operator) -> None:
    written = await op.write("a", b"x", **DESCRIPTIONS)
    known = await op.stat("a")
    assert known == written
    assert described(known) == DESCRIPTIONS


async def test_a_write_that_says_nothing_forgets_what_was_said_before(op: Operator) -> None:
    await op.write("a", b"x", **DESCRIPTIONS)
    await op.write("a", b"y")
    assert described(await op.stat("a")) == {**dict.fromkeys(DESCRIPTIONS), "user_metadata": {}}


async def test_names_of_user_metadata_are_kept_in_lower_case(op: Operator) -> None:
    await op.write("a", b"x", user_metadata={"Owner": "Donald"})
    assert (await op.stat("a")).user_metadata == {"owner": "Donald"}


async def test_an_empty_object_is_an_object(op: Operator) -> None:
    assert (await op.write("a", b"")).content_length == 0
    assert await op.read("a") == b""


async def test_an_append_makes_the_object_or_goes_behind_it(op: Operator) -> None:
    first = await op.write("a", b"one ", append=True, content_type="text/plain")
    second = await op.write("a", b"two", append=True, cache_control="no-store")
    assert await op.read("a") == b"one two"
    assert (second.content_length, second.content_type, second.cache_control) == (7, "text/plain", "no-store")
    assert first.etag != second.etag
    assert await op.stat("a") == second


async def test_if_not_exists_writes_once(op: Operator) -> None:
    await op.write("a", b"first", if_not_exists=True)
    await refused(op.write("a", b"second", if_not_exists=True), "write", "a", "if_not_exists")
    assert await op.read("a") == b"first"


async def test_if_match_writes_over_what_it_names(op: Operator) -> None:
    await refused(op.write("a", b"x", if_match="*"), "write", "a", "if_match")
    etag = (await op.write("a", b"first")).etag
    await op.write("a", b"second", if_match=etag)
    await refused(op.write("a", b"third", if_match=etag), "write", "a", "if_match")
    assert await op.read("a") == b"second"
    await op.write("a", b"fourth", if_match="*")


async def test_if_none_match_writes_over_anything_else(op: Operator) -> None:
    etag = (await op.write("a", b"first", if_none_match="*")).etag
    for unwanted in (etag, "*"):
        await refused(op.write("a", b"x", if_none_match=unwanted), "write", "a", "if_none_match")
    assert await op.read("a") == b"first"
    await op.write("a", b"second", if_none_match='"other"')
    assert await op.read("a") == b"second"


async def test_a_condition_is_checked_when_the_object_appears(op: Operator) -> None:
    writer = await op.writer("a", if_not_exists=True)
    await writer.write(b"late")
    await op.write("a", b"early")
    with pytest.raises(ConditionNotMatch):
        await writer.close()
    await writer.abort()
    assert await op.read("a") == b"early"


async def test_what_was_aborted_was_never_there(op: Operator) -> None:
    writer = await op.writer("a")
    await writer.write(b"x")
    await writer.abort()
    assert not await op.exists("a")


async def test_a_copy_keeps_what_is_known_and_is_an_object_of_its_own(op: Operator) -> None:
    source = await op.write("a", b"x", **DESCRIPTIONS)
    copied = await op.copy("a", "dir/b")
    assert await op.stat("dir/b") == copied
    assert described(copied) == DESCRIPTIONS
    assert copied.etag != source.etag
    await op.write("a", b"changed")
    assert await op.read("dir/b") == b"x"


async def test_conditions_of_a_copy_are_about_its_target(op: Operator) -> None:
    source, target = await op.write("a", b"new"), await op.write("b", b"old")
    await refused(op.copy("a", "b", if_not_exists=True), "copy", "a", "if_not_exists")
    await refused(op.copy("a", "b", if_match=source.etag), "copy", "a", "if_match")
    await refused(op.copy("a", "c", if_match="*"), "copy", "a", "if_match")
    assert await op.read("b") == b"old"
    await op.copy("a", "b", if_match=target.etag)
    await op.copy("a", "c", if_not_exists=True)
    assert (await op.read("b"), await op.read("c")) == (b"new", b"new")


async def test_a_rename_moves_the_object_over_what_is_there(op: Operator) -> None:
    await op.write("a", b"x", **DESCRIPTIONS)
    await op.write("b", b"old")
    await op.rename("a", "b")
    assert not await op.exists("a")
    assert await op.read("b") == b"x"
    assert described(await op.stat("b")) == DESCRIPTIONS


async def test_a_rename_that_may_replace_nothing_leaves_both(op: Operator) -> None:
    await op.write("a", b"x")
    await op.write("b", b"old")
    await refused(op.rename("a", "b", if_not_exists=True), "rename", "a", "if_not_exists")
    assert (await op.read("a"), await op.read("b")) == (b"x", b"old")
    await op.rename("a", "c", if_not_exists=True)
    assert await op.read("c") == b"x"


@pytest.mark.parametrize("operation", ["copy", "rename"])
async def test_what_is_not_there_is_not_copied_and_not_renamed(op: Operator, operation: str) -> None:
    await op.write("b", b"old")
    with pytest.raises(NotFound) as caught:
        await getattr(op, operation)("missing", "b")
    assert (caught.value.operation, caught.value.path) == (operation, "missing")
    assert await op.read("b") == b"old"


async def test_a_deletion_forgets_the_object_and_what_is_missing_is_gone(op: Operator) -> None:
    await op.write("a", b"x")
    for _ in range(2):
        await op.delete("a")
    with pytest.raises(NotFound):
        await op.read("a")
