"""Copying into another storage, and into the same one as if it were another."""

from __future__ import annotations

from entrepot.errors import IsSameFile, NotFound, ObjectExists
from entrepot.facade.operator import Operator
from entrepot.services import Memory

from .case import case
from .expect import check, equal
from .interrupt import CANCEL_TIMES, interrupt
from .io_recorder import IoRecorder
from .target import Target


@case("read", "put")
async def another_storage_gets_the_content(target: Target) -> None:
    """An object of any size is copied, and the source stays."""
    there = Operator(Memory())
    for size in (1, 1000, 300_000):
        path = target.path()
        content = await target.put(path, target.content(size))
        copied = await target.operator.copy_to(there, path, "there")
        check(not copied.is_server_side, "a copy into another storage is not made by the storage")
        equal(await there.read("there"), content, "the content of the copy")
        equal(await target.operator.read(path), content, "the content of the source")


@case("read", "put")
async def chunks_make_the_same_content(target: Target) -> None:
    """An object that is read by many requests is copied."""
    path, there = target.path(), Operator(Memory())
    content = await target.put(path, target.content(100_000))
    for chunk, concurrent in ((10_000, 1), (33_333, 3), (100_000, 2), (200_000, 4)):
        await target.operator.copy_to(there, path, "there", chunk=chunk, concurrent=concurrent)
        equal(await there.read("there"), content, f"the content of the copy in chunks of {chunk}")


@case("read", "put", "write_can_empty")
async def empty_object(target: Target) -> None:
    """An object without bytes can be copied."""
    path, there = target.path(), Operator(Memory())
    await target.put(path, b"")
    await target.operator.copy_to(there, path, "there")
    equal(await there.read("there"), b"", "the content of the copy")


@case("read", "stat")
async def missing_source_is_not_found(target: Target) -> None:
    """A copy of a missing source fails and creates nothing at the target."""
    path, there = target.path(), Operator(Memory())
    with target.raises(NotFound, "copy_to", path=path):
        await target.operator.copy_to(there, path, "there")
    equal(await there.exists("there"), expected=False, what="exists, of the copy")


@case("read", "write", "write_with_user_metadata")
async def user_metadata_is_carried(target: Target) -> None:
    """User metadata is copied."""
    path, there = target.path(), Operator(Memory())
    await target.operator.write(path, b"content", user_metadata={"a": "b"})
    await target.operator.copy_to(there, path, "there")
    equal(dict((await there.stat("there")).user_metadata), {"a": "b"}, "the user metadata of the copy")


@case("read", "write", "write_with_content_type", "write_with_user_metadata")
async def what_is_beside_the_content_is_carried(target: Target) -> None:
    """Content type and user metadata are copied, and nothing is reported as lost."""
    path, there = target.path(), Operator(Memory())
    await target.operator.write(path, b"{}", content_type="application/json", user_metadata={"location": "here"})
    copied = await target.operator.copy_to(there, path, "there")
    metadata = await there.stat("there")
    equal(metadata.content_type, "application/json", "the content type of the copy")
    equal(dict(metadata.user_metadata), {"location": "here"}, "the user metadata of the copy")
    equal(copied.not_carried, (), "the metadata that was not copied")


@case("read", "write", "not write_with_content_type")
async def what_is_not_there_is_not_reported(target: Target) -> None:
    """A storage without content types has none to lose."""
    path, there = target.path(), Operator(Memory())
    await target.put(path)
    copied = await target.operator.copy_to(there, path, "there")
    equal([name for name in copied.not_carried if name == "content_type"], [], "the metadata that was not copied")


@case("read", "write")
async def large_objects_are_streamed_into_it(target: Target) -> None:
    """A copy between operators with different layers passes through both."""
    source, copied = target.path("source"), target.path("a/target")
    content = await target.put(source, target.content(target.part + 70_000))
    there = target.operator.layer(IoRecorder())
    result = await target.operator.copy_to(there, source, copied, chunk=target.part)
    check(not result.is_server_side, "the copy is streamed")
    equal(result.metadata.content_length, len(content), "the returned length")
    check(await target.operator.read(copied) == content, "the content of the copy is that of the source")


@case("read", "write", "copy")
async def one_storage_copies_by_itself(target: Target) -> None:
    """Where both operators have one storage, the storage makes the copy."""
    source, copied = target.path("source"), target.path("target")
    content = await target.put(source)
    result = await target.operator.copy_to(target.operator, source, copied)
    check(result.is_server_side, "the storage makes the copy")
    equal(await target.operator.read(copied), content, "the content of the copy")


@case("read", "write")
async def onto_itself_is_refused(target: Target) -> None:
    """Source and target must differ, also by other layers."""
    path = target.path()
    content = await target.put(path)
    for there in (target.operator, target.operator.layer(IoRecorder())):
        with target.raises(IsSameFile, "copy_to", path=path):
            await target.operator.copy_to(there, path, f"/{path}")
    equal(await target.operator.read(path), content, "the content")


@case("read", "write", "write_with_if_not_exists")
async def if_not_exists_to_an_old_target(target: Target) -> None:
    """With `if_not_exists`, an existing target stays."""
    source, copied = target.path("source"), target.path("target")
    contents = await target.put_all([source, copied])
    there = target.operator.layer(IoRecorder())
    with target.raises(ObjectExists, "copy_to", path=copied):
        await target.operator.copy_to(there, source, copied, if_not_exists=True)
    equal(await target.operator.read(copied), contents[copied], "the content of the target")


@case("read", "write", "stat")
async def cancelled_copy_leaves_nothing_or_all(target: Target) -> None:
    """A cancelled copy leaves the whole target or none."""
    source = target.path("source")
    content = await target.put(source, target.content(200_000))
    there = target.operator.layer(IoRecorder())
    for time in CANCEL_TIMES:
        copied = target.path("target")

        async def copy(copied: str = copied) -> None:
            await target.operator.copy_to(there, source, copied, chunk=50_000)

        is_done = await interrupt(copy, time)
        if is_done or await target.operator.exists(copied):
            check(await target.operator.read(copied) == content, f"the copy that was cancelled at {time} is whole")
