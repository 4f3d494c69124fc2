"""Reading an object: whole, by ranges, by a reader."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.errors import InvalidInput, IsADirectory, NotFound, RangeNotSatisfied
from entrepot.facade.reader import Reader
from entrepot.testing.read_checker import TRAPS, ReaderChecker, Step
from entrepot.types import BytesRange

from .case import case
from .expect import check, equal
from .interrupt import CANCEL_TIMES, interrupt, together
from .target import KIB, SPECIAL, Target

_OBJECT: Final = 8 * KIB


@case("read", "put")
async def whole_object(target: Target) -> None:
    """The whole content is read."""
    path = target.path()
    content = await target.put(path)
    equal(await target.operator.read(path), content, "the content")


@case("read", "put")
async def empty_object(target: Target) -> None:
    """An empty object is read as empty, in every way."""
    path = target.path()
    await target.put(path, b"")
    equal(await target.operator.read(path), b"", "the content")
    equal(await target.operator.read(path, range=(0, 10)), b"", "a range of it")
    for chunk in (None, 4):
        await _checked(target, path, b"", (("read", -1), ("receive", 4), ("seek", 3, os.SEEK_SET), ("read", 1)), chunk)


@case("read", "put")
async def special_characters_are_characters(target: Target) -> None:
    """An object with special characters in its name is read."""
    path = target.path(SPECIAL)
    content = await target.put(path)
    equal(await target.operator.read(path), content, "the content")


@case("read", "put")
async def ranges(target: Target) -> None:
    """Exactly the bytes of a range are read, at any position."""
    path, content = await _object(target)
    edges = [0, 1, _OBJECT // 2, _OBJECT - 1, _OBJECT]
    ranges = [(start, end) for start in edges for end in edges if start <= end]
    ranges += [tuple(sorted((target.number(0, _OBJECT), target.number(0, _OBJECT)))) for _ in range(5)]  # type: ignore[misc]

    def read(start: int, end: int) -> Callable[[], Awaitable[bytes]]:
        return lambda: target.operator.read(path, range=(start, end))

    for (start, end), got in zip(ranges, await together(*(read(*part) for part in ranges)), strict=True):
        equal(got, content[start:end], f"the bytes from {start} to {end}")


@case("read", "put")
async def range_without_an_end(target: Target) -> None:
    """A range without an end is read to the end of the object."""
    path, content = await _object(target)
    equal(await target.operator.read(path, range=(1000, None)), content[1000:], "the bytes from 1000")


@case("read", "put")
async def range_is_clamped(target: Target) -> None:
    """A range that ends past the end is read to the end of the object."""
    path, content = await _object(target)
    got = await target.operator.read(path, range=(_OBJECT - 10, _OBJECT + 10))
    equal(got, content[-10:], "the last ten bytes and ten more")


@case("read", "put")
async def range_from_the_end_is_empty(target: Target) -> None:
    """A range that starts at the end of the object is empty."""
    path, _ = await _object(target)
    for end in (_OBJECT, _OBJECT + 10, None):
        equal(await target.operator.read(path, range=(_OBJECT, end)), b"", f"the bytes from the end to {end}")


@case("read", "put")
async def range_past_the_end_is_refused(target: Target) -> None:
    """A range that starts past the end cannot be satisfied."""
    path, _ = await _object(target)
    for end in (_OBJECT + 10, None):
        with target.raises(RangeNotSatisfied, "read", path=path):
            await target.operator.read(path, range=(_OBJECT + 1, end))


@case("read")
async def range_that_cannot_be_is_refused(target: Target) -> None:
    """A negative or inverted range is an error of the caller."""
    path = target.path()
    for start, end in ((-1, 3), (3, 2)):
        with target.raises(InvalidInput, "read", path=path):
            await target.operator.read(path, range=(start, end))


@case("read", "read_with_suffix", "put")
async def suffix(target: Target) -> None:
    """The last bytes are read."""
    path, content = await _object(target)
    got = await target.operator.read(path, range=BytesRange(suffix=257))
    equal(got, content[-257:], "the last 257 bytes")


@case("read", "read_with_suffix", "put")
async def suffix_longer_than_the_object(target: Target) -> None:
    """A suffix that is longer than the object is the whole object."""
    path, content = await _object(target)
    equal(await target.operator.read(path, range=BytesRange(suffix=2 * _OBJECT)), content, "twice its length")


@case("read", "read_with_suffix", "put")
async def suffix_of_no_bytes(target: Target) -> None:
    """An empty range is read as empty, not an error."""
    path, _ = await _object(target)
    equal(await target.operator.read(path, range=BytesRange(suffix=0)), b"", "the last 0 bytes")


@case("read", "read_with_suffix", "put")
async def suffix_in_chunks(target: Target) -> None:
    """A reader of a suffix returns the same bytes in concurrent chunks."""
    path, content = await _object(target)
    async with target.operator.reader(path, range=BytesRange(suffix=1025), chunk=257, concurrent=3) as reader:
        equal(await reader.read(), content[-1025:], "the last 1025 bytes, in chunks of 257")


@case("read")
async def missing_object_is_not_found(target: Target) -> None:
    """Reading a missing object is an error; a reader raises it at its first verb."""
    path = target.path()
    with target.raises(NotFound, "read", path=path):
        await target.operator.read(path)
    async with target.operator.reader(path) as reader:
        with target.raises(NotFound, "reader.read", path=path):
            await reader.read(1)


@case("read")
async def directory_is_refused(target: Target) -> None:
    """A path with a trailing slash cannot be read."""
    path = target.directory()
    with target.raises(IsADirectory, "read", path=path):
        await target.operator.read(path)


@case("read", "create_dir")
async def directory_that_exists_is_refused(target: Target) -> None:
    """A directory cannot be read; without its slash it is not found, or refused too."""
    path = target.directory()
    await target.operator.create_dir(path)
    with target.raises(IsADirectory, "read", path=path):
        await target.operator.read(path)
    try:
        content = await target.operator.read(path.removesuffix("/"))
    except (IsADirectory, NotFound):
        return
    raise AssertionError(f"a directory without its slash was read and gave {content!r:.80}")


@case("read", "put")
async def every_way_of_a_reader(target: Target) -> None:
    """All verbs of a reader return the same bytes."""
    path, content = await _object(target)
    for way in (_by_read, _by_small_reads, _by_next, _by_receive, _by_readinto, _by_iteration):
        async with target.operator.reader(path) as reader:
            equal(await way(reader), content, f"the content {way.__name__.strip('_').replace('_', ' ')}")


@case("read", "put")
async def metadata_of_a_reader_is_of_the_whole_object(target: Target) -> None:
    """A reader of a range knows the length of the object, and its own size."""
    await _knows_both_sizes(target, chunk=None, concurrent=None)


@case("read", "put")
async def metadata_of_a_reader_in_chunks_is_of_the_whole_object(target: Target) -> None:
    """The same in concurrent chunks."""
    await _knows_both_sizes(target, chunk=128, concurrent=4)


@case("read", "put")
async def content_with_metadata(target: Target) -> None:
    """A range is read together with the metadata of the whole object, at once or in chunks."""
    path, content = await _object(target)
    for chunk in (None, 128):
        got, metadata = await target.operator.read_with_metadata(path, range=(100, 1100), chunk=chunk)
        equal(got, content[100:1100], "the bytes of the range")
        equal(metadata.content_length, _OBJECT, "the length of the object")


@case("read", "write", "write_with_user_metadata")
async def content_with_user_metadata(target: Target) -> None:
    """The content of an object is read together with its user metadata."""
    path = target.path()
    await target.operator.write(path, b"content", user_metadata={"a": "b"})
    got, metadata = await target.operator.read_with_metadata(path)
    equal((got, dict(metadata.user_metadata)), (b"content", {"a": "b"}), "the content and the user metadata")


@case("read", "put")
async def iteration_of_a_range(target: Target) -> None:
    """The chunks of a range are its bytes."""
    await _iterates_over_a_range(target, chunk=None, concurrent=None)


@case("read", "put")
async def iteration_of_a_range_in_chunks(target: Target) -> None:
    """The same in concurrent chunks."""
    await _iterates_over_a_range(target, chunk=128, concurrent=4)


@case("read", "put")
async def iteration_that_was_left_goes_on(target: Target) -> None:
    """A loop over a reader that ends by `break` leaves the reader at its position."""
    path, content = await _object(target)
    async with target.operator.reader(path, chunk=1000) as reader:
        async for _ in reader:
            break
        position = reader.tell()
        equal(await reader.read(), content[position:], "the rest of the content")


@case("read", "put")
async def seek_sequences(target: Target) -> None:
    """The sequences of seeks and reads that broke readers before (`TRAPS`)."""
    for content in {trap.content for trap in TRAPS}:
        path = target.path()
        await target.put(path, content)
        for trap in TRAPS:
            if trap.content == content and (trap.range.suffix is None or target.has("read_with_suffix")):
                await _checked(target, path, trap.expected, (*trap.steps, ("close",)), None, trap.range)


@case("read", "put")
async def random_seeks(target: Target) -> None:
    """Random seeks and reads, with and without chunks."""
    path, content = await _object(target)
    for chunk in (None, 700):
        await _checked(target, path, content, [_random_step(target) for _ in range(30)], chunk)


@case("read", "put")
async def fetch_of_many_ranges(target: Target) -> None:
    """Many ranges are returned in their order, whether or not near ones are joined into one request."""
    path, content = await _object(target)
    ranges = [(4000, 4100), (0, 10), (10, 20), (4050, 4200), (8000, None), (17, 17), (8190, 9999)]
    for gap in (0, 100, 1 << 20):
        async with target.operator.reader(path, gap=gap, concurrent=3) as reader:
            got = await reader.fetch(ranges)
            equal(got, [content[start:end] for start, end in ranges], f"ranges joined over {gap} bytes")
            views = await reader.fetch_views(ranges)
            equal([bytes(view) for view in views], got, f"views of ranges joined over {gap} bytes")
            equal(reader.tell(), 0, "the position after a fetch")


@case("read", "put")
async def fetch_within_a_range(target: Target) -> None:
    """The ranges of a fetch are relative to the range of the reader."""
    path, content = await _object(target)
    async with target.operator.reader(path, range=(1000, 3000)) as reader:
        got = await reader.fetch([(0, 5), (1990, 5000)])
    equal(got, [content[1000:1005], content[2990:3000]], "two ranges of a range")


@case("read", "put")
async def fetch_past_the_end_is_refused(target: Target) -> None:
    """A range past the end fails the whole fetch."""
    path, _ = await _object(target)
    async with target.operator.reader(path, gap=0) as reader:
        with target.raises(RangeNotSatisfied, "reader.fetch", path=path):
            await reader.fetch([(0, 5), (_OBJECT + 1, _OBJECT + 5)])


@case("read", "put")
async def cancelled_read_goes_on_where_it_was(target: Target) -> None:
    """A cancelled verb leaves the position: called again, it returns the same bytes."""
    path, content = await _object(target)
    for delay in CANCEL_TIMES:
        async with target.operator.reader(path) as reader:
            equal(await reader.read(100), content[:100], "the first bytes")
            before = reader.tell()
            is_done = await interrupt(lambda: reader.read(3000), delay)
            after = reader.tell()
            check(after == 3100 or (not is_done and after == before), f"a cancelled read moved to {after}")
            equal(await reader.read(), content[after:], f"the rest after a cancellation at {delay}")


@case("read", "put")
async def many_readers_at_once(target: Target) -> None:
    """Readers do not share a position."""
    contents = await target.put_all([target.path() for _ in range(4)])

    def slow_read(path: str) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            async with target.operator.reader(path) as reader:
                return await _by_small_reads(reader)

        return read

    paths = list(contents) * 4
    for path, got in zip(paths, await together(*map(slow_read, paths)), strict=True):
        equal(got, contents[path], f"the content of {path!r}")


@case("read", "put")
async def closed_reader_is_refused(target: Target) -> None:
    """Closing twice has no effect; a closed reader cannot be used."""
    path, _ = await _object(target)
    reader = await target.operator.reader(path)
    await reader.read(1)
    await reader.aclose()
    await reader.aclose()
    with target.raises(InvalidInput, "reader.read", path=path):
        await reader.read(1)


@case("read")
async def storage_can_be_checked(target: Target) -> None:
    """`check` finds nothing wrong."""
    await target.operator.check()


async def _object(target: Target) -> tuple[str, bytes]:
    path = target.path()
    return path, await target.put(path, target.content(_OBJECT))


async def _checked(
    target: Target,
    path: str,
    content: bytes,
    steps: list[Step] | tuple[Step, ...],
    chunk: int | None,
    window: BytesRange = BytesRange(),
) -> None:
    checker = ReaderChecker(await target.operator.reader(path, range=window, chunk=chunk), content)
    await checker.check(steps)
    await checker.close()


def _random_step(target: Target) -> Step:
    match target.number(0, 3):
        case 0:
            return "seek", target.number(0, _OBJECT + 100), os.SEEK_SET
        case 1:
            return "seek", target.number(-2000, 2000), os.SEEK_CUR
        case 2:
            return "seek", -target.number(-100, _OBJECT + 100), os.SEEK_END
        case _:
            return "read", target.number(0, 1500)


async def _knows_both_sizes(target: Target, chunk: int | None, concurrent: int | None) -> None:
    path, _ = await _object(target)
    async with target.operator.reader(path, range=(100, 1100), chunk=chunk, concurrent=concurrent) as reader:
        await reader.read(1)
        equal((await reader.metadata()).content_length, _OBJECT, "the length of the object")
        equal(await reader.size(), 1000, "the size of the range")


async def _iterates_over_a_range(target: Target, chunk: int | None, concurrent: int | None) -> None:
    path, content = await _object(target)
    got = b""
    async for piece in target.operator.reader(path, range=(10, 2000), chunk=chunk, concurrent=concurrent):
        check(piece, "a chunk is never empty")
        got += piece
    equal(got, content[10:2000], "the chunks of a range")


async def _by_read(reader: Reader) -> bytes:
    return await reader.read()


async def _by_small_reads(reader: Reader) -> bytes:
    pieces = []
    while piece := await reader.read(1000):
        pieces.append(piece)
    return b"".join(pieces)


async def _by_next(reader: Reader) -> bytes:
    pieces = []
    while (piece := await reader.next()) is not None:
        pieces.append(piece)
    return b"".join(pieces)


async def _by_receive(reader: Reader) -> bytes:
    from anyio import EndOfStream

    pieces = []
    while True:
        try:
            pieces.append(await reader.receive(777))
        except EndOfStream:
            return b"".join(pieces)


async def _by_readinto(reader: Reader) -> bytes:
    buffer = bytearray(_OBJECT + 1)
    count = await reader.readinto(buffer)
    return bytes(buffer[:count])


async def _by_iteration(reader: Reader) -> bytes:
    return b"".join([piece async for piece in reader])
