"""Writing an object: at once, from an iterator, by a writer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, IsADirectory, NotFound, ObjectExists, Unsupported
from entrepot.types import Metadata

from .case import case, register
from .conditions import OTHER_ETAG
from .expect import check, equal, one_of
from .interrupt import together
from .target import KIB, SPECIAL, Target

_VERBS: Final = ("writer", "writer.write", "writer.close")
"""The operations that may report a failed condition, depending on the service."""

_COMPARED: Final = (
    "etag",
    "last_modified",
    "version",
    "content_md5",
    "content_type",
    "content_encoding",
    "content_disposition",
    "cache_control",
)


@case("write", "stat")
async def stored_length(target: Target) -> None:
    """A written object has the length of its content."""
    path = target.path()
    content = await _write(target, path)
    equal((await target.operator.stat(path)).content_length, len(content), "the length")


@case("write", "write_can_empty", "stat", "read")
async def empty_object(target: Target) -> None:
    """An empty object can be written, in every way."""
    written, closed = target.path(), target.path()
    await target.operator.write(written, b"")
    async with target.operator.writer(closed):
        pass
    for path in (written, closed):
        equal((await target.operator.stat(path)).content_length, 0, "the length")
        equal(await target.operator.read(path), b"", "the content")


@case("write", "not write_can_empty")
async def empty_object_is_refused(target: Target) -> None:
    """Where objects cannot be empty, an empty one is refused."""
    path = target.path()
    with target.raises(Unsupported, "write", path=path):
        await target.operator.write(path, b"")


@case("write")
async def directory_is_refused(target: Target) -> None:
    """A path with a trailing slash does not name a file."""
    path = target.directory()
    with target.raises(IsADirectory, "write", path=path):
        await target.operator.write(path, b"content")


@case("write", "stat", "read")
async def special_characters_are_characters(target: Target) -> None:
    """A name with special characters, in a directory, is kept as it was written."""
    path = target.directory() + SPECIAL
    content = await _write(target, path)
    equal((await target.operator.stat(path)).content_length, len(content), "the length")
    equal(await target.operator.read(path), content, "the content")


@case("write", "read")
async def parents_are_made(target: Target) -> None:
    """The directories above a file need not exist."""
    path = f"{target.directory()}a/b/c/file"
    content = await _write(target, path)
    equal(await target.operator.read(path), content, "the content")


@case("write", "list")
async def parents_are_made_by_several_writers(target: Target) -> None:
    """Writers that need the same missing directories do not get in each other's way."""
    directory = target.directory()
    paths = [f"{directory}{name}" for name in ("a/1", "a/b/2", "a/b/3", "a/b/c/4", "a/b/c/5", "d/6")]
    for result in await together(*(partial(_write, target, path) for path in paths)):
        check(not isinstance(result, Error) or result.is_temporary, f"a write beside others failed: {result}")
    listed = await target.operator.list(directory, recursive=True)
    equal(sorted(entry.path for entry in listed if entry.is_file), paths, "the files")


@case("write", "stat", "read")
async def longer_and_shorter_contents_replace(target: Target) -> None:
    """New content replaces the whole old content, also longer content."""
    path = target.path()
    for size in (5000, 10, 9000):
        content = target.content(size)
        await target.operator.write(path, content)
        equal(await target.operator.read(path), content, f"the content of {size} bytes")
        equal((await target.operator.stat(path)).content_length, size, "the length")


@case("write", "read")
async def everything_like_bytes(target: Target) -> None:
    """bytes, bytearray, memoryview, iterators and async iterators of these are data."""
    content = target.content(3000)
    pieces: list[bytes | bytearray | memoryview]
    pieces = [content[:1000], bytearray(content[1000:2000]), memoryview(content)[2000:]]

    async def trickle() -> AsyncIterator[Any]:
        for piece in pieces:
            yield piece

    forms: tuple[Any, ...] = (content, bytearray(content), memoryview(content), pieces, iter(pieces), trickle())
    for data in forms:
        path = target.path()
        await target.operator.write(path, data)
        equal(await target.operator.read(path), content, f"the content, written from {type(data).__name__}")


@case("write", "stat")
async def data_of_another_type_is_refused(target: Target) -> None:
    """Text and numbers are refused, alone or in an iterator; nothing is written."""
    path = target.path()
    wrong: list[Any] = ["text", 7, None, ["text"], [b"fine", 7]]
    for data in wrong:
        with target.raises(InvalidInput, "write", path=path):
            await target.operator.write(path, data)
    with target.raises(InvalidInput, "writer.write", path=path):
        async with target.operator.writer(path) as writer:
            await writer.write(wrong[0])
    equal(await target.operator.exists(path), expected=False, what="exists")


@case("write", "stat")
async def write_tells_what_stat_tells(target: Target) -> None:
    """A write returns the metadata of the object."""
    path = target.path()
    content = target.content()
    await _agrees_with_stat(target, path, await target.operator.write(path, content), len(content))


@case("write", "stat")
async def close_tells_what_stat_tells(target: Target) -> None:
    """Closing a writer returns the metadata of the object, and closing it again returns the same."""
    path = target.path()
    async with target.operator.writer(path) as writer:
        await writer.write(b"one")
        await writer.write(b"two")
        metadata = await writer.close()
        await _agrees_with_stat(target, path, metadata, 6)
        equal(await writer.close(), metadata, "the result of closing again")


@case("write", "read")
async def writer_joins_its_pieces(target: Target) -> None:
    """Pieces of any size become one content."""
    path = target.path()
    pieces = [target.content(size) for size in (1, 0, 3000, 17, 70_000, 1)]
    async with target.operator.writer(path) as writer:
        for piece in pieces:
            await writer.write(piece)
        equal(writer.tell(), sum(map(len, pieces)), "the position of the writer")
    equal(await target.operator.read(path), b"".join(pieces), "the content")


@case("write", "read")
async def buffer_can_be_used_again(target: Target) -> None:
    """A caller may change a buffer after it was written."""
    path = target.path()
    buffer = bytearray(b"a" * 1000)
    async with target.operator.writer(path) as writer:
        for letter in (b"a", b"b", b"c"):
            buffer[:] = letter * 1000
            await writer.write(buffer)
        buffer[:] = b"x" * 1000
    equal(await target.operator.read(path), b"a" * 1000 + b"b" * 1000 + b"c" * 1000, "the content")


@case("write", "read")
async def parts_one_after_the_other(target: Target) -> None:
    """Two parts, sent one at a time, are one content."""
    await _in_parts(target, [target.part, target.part], concurrent=1)


@case("write", "read")
async def parts_at_the_same_time(target: Target) -> None:
    """Three parts of different sizes, sent at the same time, keep their order."""
    await _in_parts(target, [target.part, target.part + 1000, target.part], concurrent=3)


@case("write", "read")
async def parts_of_a_chunk_size(target: Target) -> None:
    """Pieces that do not fit parts are stored whole."""
    await _in_parts(target, [target.part - 1000, target.part + 2000, 10], chunk=target.part)


@case("write", "read")
async def parts_of_a_chunk_size_at_the_same_time(target: Target) -> None:
    """The same with parts sent at the same time, from an async iterator."""
    path = target.path()
    content = target.content(2 * target.part + 100)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 256 * KIB):
            yield content[start : start + 256 * KIB]

    await target.operator.write(path, pieces(), chunk=target.part, concurrent=4)
    _same_content(await target.operator.read(path), content)


@case("write", "read")
async def writer_replaces(target: Target) -> None:
    """A second writer replaces the object of the first one."""
    path = target.path()
    for size in (9000, 4000):
        content = target.content(size)
        async with target.operator.writer(path) as writer:
            await writer.write(content)
        equal(await target.operator.read(path), content, "the content")


@case("write", "read")
async def nothing_is_seen_before_close(target: Target) -> None:
    """Until a writer is closed, the whole old content is read."""
    path = target.path()
    old, new = await _write(target, path), target.content(100_000)
    async with target.operator.writer(path) as writer:
        for start in range(0, len(new), 10_000):
            await writer.write(new[start : start + 10_000])
        equal(await target.operator.read(path), old, "the content before the writer is closed")
    equal(await target.operator.read(path), new, "the content after it is closed")


@case("write", "stat")
async def aborted_writer_leaves_nothing(target: Target) -> None:
    """An aborted writer leaves no object, whether little or much was written."""
    await _leaves_nothing_after_abort(target, [100], concurrent=1)


@case("write", "stat")
async def aborted_parts_leave_nothing(target: Target) -> None:
    """An aborted writer leaves no object, also while parts are in flight."""
    await _leaves_nothing_after_abort(target, [target.part + 1000, target.part + 1000], concurrent=2)


@case("write", "read")
async def aborted_writer_leaves_the_old_content(target: Target) -> None:
    """An aborted writer leaves the old object."""
    path = target.path()
    content = await _write(target, path)
    async with target.operator.writer(path) as writer:
        await writer.write(b"something else")
        await writer.abort()
    equal(await target.operator.read(path), content, "the content")


@case("write", "read")
async def abort_after_close_does_nothing(target: Target) -> None:
    """An abort after `close` leaves the published object."""
    path = target.path()
    async with target.operator.writer(path) as writer:
        await writer.write(b"content")
        await writer.close()
        await writer.abort()
    equal(await target.operator.read(path), b"content", "the content")


@case("write")
async def ended_writer_is_refused(target: Target) -> None:
    """A closed or aborted writer cannot be written to."""
    path = target.path()
    async with target.operator.writer(path) as closed, target.operator.writer(path) as aborted:
        for writer in (closed, aborted):
            await writer.write(b"content")
        await closed.close()
        await aborted.abort()
    for writer in (closed, aborted):
        with target.raises(InvalidInput, "writer.write", path=path):
            await writer.write(b"more")
    with target.raises(InvalidInput, "writer.close", path=path):
        await aborted.close()


@case("write", "read")
async def writer_that_is_left_by_an_exception_leaves_the_old_content(target: Target) -> None:
    """An exception in the block propagates, and the written content is dropped."""
    path = target.path()
    content = await _write(target, path)
    failure = RuntimeError("in the block")
    try:
        async with target.operator.writer(path) as writer:
            await writer.write(b"something else")
            raise failure
    except RuntimeError as error:
        check(error is failure, f"the exception of the block passes, and not {error!r}")
    equal(await target.operator.read(path), content, "the content")


@case("write", "stat")
async def failing_source_leaves_nothing(target: Target) -> None:
    """The exception of an iterator propagates, and no object is written."""
    failure = RuntimeError("of the iterator")

    def broken() -> Iterator[bytes]:
        yield b"a beginning"
        raise failure

    async def broken_later() -> AsyncIterator[bytes]:
        yield target.content(target.part + 1)
        raise failure

    for source in (broken(), broken_later()):
        path = target.path()
        try:
            await target.operator.write(path, source)
        except RuntimeError as error:
            check(error is failure, f"the exception of the iterator passes, and not {error!r}")
        equal(await target.operator.exists(path), expected=False, what="exists")


@case("write", "read")
async def writers_at_the_same_time_do_not_mix(target: Target) -> None:
    """One of several concurrent writes to a path wins, whole."""
    path = target.path()
    contents = [target.content(50_000) for _ in range(5)]

    def write(content: bytes) -> Callable[[], Awaitable[Metadata]]:
        return lambda: target.operator.write(path, content)

    results = await together(*map(write, contents))
    for result in results:
        is_refused_for_now = isinstance(result, Error) and result.is_temporary
        check(isinstance(result, Metadata) or is_refused_for_now, f"a write beside others failed: {result}")
    check(any(isinstance(result, Metadata) for result in results), "one of several concurrent writes succeeds")
    one_of(await target.operator.read(path), contents, "the content")


@case("write", "write_with_user_metadata", "stat")
async def user_metadata_is_kept(target: Target) -> None:
    """`stat` returns the user metadata of an object, names in lower case."""
    path = target.path()
    await target.operator.write(path, b"content", user_metadata={"Location": "everywhere", "some-key": "a value"})
    user_metadata = dict((await target.operator.stat(path)).user_metadata)
    equal(user_metadata, {"location": "everywhere", "some-key": "a value"}, "the user metadata")


@case("write", "write_with_user_metadata", "stat")
async def user_metadata_is_replaced(target: Target) -> None:
    """A write without user metadata removes the old user metadata."""
    path = target.path()
    await target.operator.write(path, b"content", user_metadata={"location": "everywhere"})
    await target.operator.write(path, b"content")
    equal(dict((await target.operator.stat(path)).user_metadata), {}, "the user metadata")


@case("write", "write_with_if_none_match", "stat", "read")
async def if_none_match(target: Target) -> None:
    """The condition fails for the etag of the object, and holds for another one."""
    path = target.path()
    content = await _write(target, path)
    own = await _etag(target, path)
    with target.raises(ConditionNotMatch, "write", path=path):
        await target.operator.write(path, b"something else", if_none_match=own)
    equal(await target.operator.read(path), content, "the content after a refused write")
    await target.operator.write(path, b"something else", if_none_match=OTHER_ETAG)
    equal(await target.operator.read(path), b"something else", "the content")


@case("write", "write_with_if_not_exists", "read")
async def if_not_exists(target: Target) -> None:
    """The first write creates the object, the second is refused and changes nothing."""
    path = target.path()
    content = target.content()
    await target.operator.write(path, content, if_not_exists=True)
    with target.raises(ObjectExists, "write", path=path):
        await target.operator.write(path, b"something else", if_not_exists=True)
    equal(await target.operator.read(path), content, "the content")


@case("write", "write_with_if_not_exists", "read")
async def if_not_exists_has_one_winner(target: Target) -> None:
    """One of several concurrent writers creates the object, and its content is stored."""
    for _ in range(5):
        path = target.path()
        contents = [target.content(2000) for _ in range(8)]

        def write(content: bytes, path: str = path) -> Callable[[], Awaitable[Metadata]]:
            return lambda: target.operator.write(path, content, if_not_exists=True)

        results = await together(*map(write, contents))
        winners = [index for index, result in enumerate(results) if isinstance(result, Metadata)]
        equal(len(winners), 1, "how many of eight writers at the same time made the object")
        losers = [result for result in results if isinstance(result, Error) and not result.is_temporary]
        others = {type(error) for error in losers if not isinstance(error, ConditionNotMatch)}
        equal(others, set(), "what else the others get")
        equal(await target.operator.read(path), contents[winners[0]], "the content")


@case("write", "write_with_if_match", "stat", "read")
async def if_match(target: Target) -> None:
    """The condition holds for the etag of the object, not for another etag."""
    path, other = target.path(), target.path()
    for written in (path, other):
        await _write(target, written)
    await target.operator.write(path, b"second", if_match=await _etag(target, path))
    with target.raises(ConditionNotMatch, "write", path=path):
        await target.operator.write(path, b"third", if_match=await _etag(target, other))
    equal(await target.operator.read(path), b"second", "the content")


@case("write", "write_with_if_match", "stat")
async def if_match_of_what_is_missing(target: Target) -> None:
    """No etag holds for a missing object, and none is created."""
    path = target.path()
    with target.raises(ConditionNotMatch, "write", path=path):
        await target.operator.write(path, b"content", if_match=OTHER_ETAG)
    equal(await target.operator.exists(path), expected=False, what="exists")


@case("write", "write_with_if_not_exists", "read")
async def parts_if_not_exists(target: Target) -> None:
    """An object in parts does not replace an existing one."""
    path = target.path()
    content = await _write(target, path)
    with target.raises(ConditionNotMatch, *_VERBS, path=path):
        await _write_parts(target, path, if_not_exists=True)
    equal(await target.operator.read(path), content, "the content")


@case("write", "write_with_if_none_match", "stat", "read")
async def parts_if_none_match(target: Target) -> None:
    """An object in parts does not replace an object with this etag."""
    path = target.path()
    content = await _write(target, path)
    with target.raises(ConditionNotMatch, *_VERBS, path=path):
        await _write_parts(target, path, if_none_match=await _etag(target, path))
    equal(await target.operator.read(path), content, "the content")


@case("write", "write_with_if_match", "stat", "read")
async def parts_if_match(target: Target) -> None:
    """An object in parts replaces an object with this etag, and no other."""
    path = target.path()
    content = await _write(target, path)
    with target.raises(ConditionNotMatch, *_VERBS, path=path):
        await _write_parts(target, path, if_match=OTHER_ETAG)
    equal(await target.operator.read(path), content, "the content")
    written = await _write_parts(target, path, if_match=await _etag(target, path))
    _same_content(await target.operator.read(path), written)


def _is_told(option: str, value: str) -> Callable[[Target], Awaitable[None]]:
    async def run(target: Target) -> None:
        path = target.path()
        content = target.content()
        options: dict[str, Any] = {option: value}
        await target.operator.write(path, content, **options)
        metadata = await target.operator.stat(path)
        equal(getattr(metadata, option), value, option)
        equal(metadata.content_length, len(content), "the length")

    return run


for _option, _value in {
    "content_type": "application/json",
    "content_disposition": 'attachment; filename="a.json"',
    "content_encoding": "gzip",
    "content_language": "de, en",
    "cache_control": "no-cache, no-store, max-age=300",
}.items():
    register(f"write.{_option}_is_kept", ("write", f"write_with_{_option}", "stat"), _is_told(_option, _value))


async def _write(target: Target, path: str) -> bytes:
    content = target.content()
    await target.operator.write(path, content)
    return content


async def _etag(target: Target, path: str) -> str:
    etag = (await target.operator.stat(path)).etag
    check(etag, f"stat of {path!r} tells no etag, and the service has conditions on it")
    return str(etag)


async def _agrees_with_stat(target: Target, path: str, returned: Metadata, length: int) -> None:
    metadata = await target.operator.stat(path)
    equal((returned.content_length, metadata.content_length), (length, length), "the length by the write, and by stat")
    for name in _COMPARED:
        if (value := getattr(returned, name)) is not None:
            equal(getattr(metadata, name), value, f"{name} of stat, beside that of the write")


async def _in_parts(target: Target, sizes: list[int], **options: Any) -> None:
    path = target.path()
    pieces = [target.content(size) for size in sizes]
    async with target.operator.writer(path, **options) as writer:
        for piece in pieces:
            await writer.write(piece)
    _same_content(await target.operator.read(path), b"".join(pieces))


async def _write_parts(target: Target, path: str, **options: Any) -> bytes:
    pieces = [target.content(target.part), target.content(target.part)]
    async with target.operator.writer(path, **options) as writer:
        for piece in pieces:
            await writer.write(piece)
    return b"".join(pieces)


def _same_content(actual: bytes, expected: bytes) -> None:
    """Compares large contents, and reports the first difference."""
    equal(len(actual), len(expected), "the length of the content")
    if actual != expected:
        first = next(index for index, (a, b) in enumerate(zip(actual, expected, strict=True)) if a != b)
        raise AssertionError(f"the content differs from byte {first} on")


async def _leaves_nothing_after_abort(target: Target, sizes: list[int], **options: Any) -> None:
    path = target.path()
    async with target.operator.writer(path, **options) as writer:
        for size in sizes:
            await writer.write(target.content(size))
        await writer.abort()
        await writer.abort()
    with target.raises(NotFound, "stat", path=path):
        await target.operator.stat(path)
