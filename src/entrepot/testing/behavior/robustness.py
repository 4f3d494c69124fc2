"""Calls that are cancelled, repeated, made concurrently, or made by a pickled copy of the operator."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable

import anyio

from entrepot.errors import ConditionNotMatch, ContentIncomplete, NotFound

from .case import case
from .expect import check, equal, one_of
from .interrupt import CANCEL_TIMES, again, interrupt, together
from .target import Target


@case("write", "read")
async def cancelled_write_leaves_the_old_or_the_new(target: Target) -> None:
    """A cancelled write leaves the whole old content or the whole new one."""
    for time in CANCEL_TIMES:
        path = target.path()  # a new path each time: a server may store later what it has received
        old, new = await target.put(path), target.content(100_000)

        async def write(path: str = path, new: bytes = new) -> None:
            await target.operator.write(path, new)

        is_done = await interrupt(write, time)
        content = await target.operator.read(path)
        one_of(content, [new] if is_done else [old, new], f"the content after a cancellation at {time}")


@case("write", "stat")
async def cancelled_writer_leaves_nothing(target: Target) -> None:
    """A cancelled `with` block leaves no object."""
    for size in (1000, target.part + 1000):
        path = target.path()
        with anyio.CancelScope() as scope:
            async with target.operator.writer(path) as writer:
                await writer.write(target.content(size))
                scope.cancel()
                await anyio.sleep_forever()
        equal(await target.operator.exists(path), expected=False, what="exists, after a cancelled writer")


@case("write", "read")
async def cancelled_close_can_be_made_again(target: Target) -> None:
    """A cancelled close can be repeated, and stores the same content."""
    for time in CANCEL_TIMES:
        path = target.path()
        content = target.content(50_000)
        async with target.operator.writer(path) as writer:
            await writer.write(content)
            await interrupt(writer.close, time)
            metadata = await again(writer.close)
        equal(metadata.content_length, len(content), f"the length, closed again after a cancellation at {time}")
        equal(await target.operator.read(path), content, f"the content, after a cancellation at {time}")


@case("write", "read")
async def cancelled_close_of_parts_can_be_made_again(target: Target) -> None:
    """The same for an object that is sent in parts."""
    path = target.path()
    content = target.content(target.part + 50_000)
    async with target.operator.writer(path, concurrent=2) as writer:
        await writer.write(content[: target.part])
        await writer.write(content[target.part :])
        for time in (0, 1, 3, 0.002):
            await interrupt(writer.close, time)
        await again(writer.close)
    check(await target.operator.read(path) == content, "the content is what was written")


@case("write", "delete", "stat")
async def cancelled_deletion_can_be_made_again(target: Target) -> None:
    """After a cancelled deletion, another one deletes."""
    for time in CANCEL_TIMES:
        path = target.path()
        await target.put(path)

        async def delete(path: str = path) -> None:
            await target.operator.delete(path)

        await interrupt(delete, time)
        await target.operator.delete(path)
        equal(await target.operator.exists(path), expected=False, what="exists, after the second deletion")


@case("write", "copy", "read")
async def cancelled_copy_leaves_the_old_or_the_new(target: Target) -> None:
    """A cancelled copy leaves the old target or the whole new one."""
    source, copied = target.path(), target.path()
    new = await target.put(source, target.content(200_000))
    for time in CANCEL_TIMES:
        old = await target.put(copied)

        async def copy() -> None:
            await target.operator.copy(source, copied)

        is_done = await interrupt(copy, time)
        content = await target.operator.read(copied)
        one_of(content, [new] if is_done else [old, new], f"the target after a cancellation at {time}")


@case("read", "write")
async def overwritten_object_is_never_mixed(target: Target) -> None:
    """A reader of an object that is overwritten returns the old bytes, or raises that the object changed."""
    path = target.path()
    old = await target.put(path, target.content(300_000))
    async with target.operator.reader(path) as reader:
        start = await reader.read(1000)
        await target.operator.write(path, target.content(300_000))
        try:
            rest = await reader.read()
        except (ConditionNotMatch, ContentIncomplete, NotFound):
            return
    equal(start + rest, old, "the content of an object that was overwritten during the read")


@case("read", "write")
async def readers_never_see_half_a_write(target: Target) -> None:
    """While an object is overwritten repeatedly, each read returns one of the contents."""
    path = target.path()
    contents = [bytes([65 + index]) * (20_000 + 1000 * index) for index in range(5)]
    await target.operator.write(path, contents[0])

    async def write() -> None:
        for content in contents * 2:
            await target.operator.write(path, content)

    async def read() -> None:
        for _ in range(10):
            one_of(await target.operator.read(path), contents, "the content that was read during the writes")

    for error in await together(write, read, read):
        if isinstance(error, Exception):
            failed = f"a read at the same time as a write failed: {type(error).__name__}: {error}"
            check(isinstance(error, ConditionNotMatch), failed)


@case("read", "write", "stat")
async def many_calls_at_the_same_time(target: Target) -> None:
    """One operator serves many tasks."""

    def round_trip(path: str, content: bytes) -> Callable[[], Awaitable[bytes]]:
        async def call() -> bytes:
            await target.operator.write(path, content)
            equal((await target.operator.stat(path)).content_length, len(content), f"the length of {path!r}")
            return await target.operator.read(path)

        return call

    contents = {target.path(): target.content() for _ in range(24)}
    results = await together(*(round_trip(path, content) for path, content in contents.items()))
    equal(results, list(contents.values()), "the contents")


@case("read", "put", "shared")
async def operator_can_be_pickled(target: Target) -> None:
    """A pickled copy of an operator reads the same objects."""
    path = target.path()
    content = await target.put(path)
    copied = pickle.loads(pickle.dumps(target.operator))  # noqa: S301  we made it a line above
    async with copied:
        equal(copied.info, target.info, "the info of the copy")
        equal(await copied.read(path), content, "the content by the copy")


@case("read")
async def error_can_be_pickled(target: Target) -> None:
    """A pickled error has the same text and fields in another process."""
    path = target.path()
    try:
        await target.operator.read(path)
    except NotFound as error:
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301  we made it a line above
        equal((type(copied), str(copied)), (type(error), str(error)), "the error")
        equal((copied.operation, copied.path), ("read", path), "the operation and the path of the error")
    else:
        raise AssertionError(f"read of {path!r}: expected NotFound, got no error")
