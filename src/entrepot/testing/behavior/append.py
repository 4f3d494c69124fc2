"""Appending to an object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entrepot.errors import ConditionNotMatch, Error
from entrepot.types import Metadata

from .case import case
from .expect import check, equal
from .interrupt import together
from .target import Target


@case("write", "write_with_append", "read", "stat")
async def appends_follow_each_other(target: Target) -> None:
    """The first append creates the object, the second adds to its end."""
    path = target.path()
    first, second = target.content(), target.content()
    await target.operator.write(path, first, append=True)
    await target.operator.write(path, second, append=True)
    equal((await target.operator.stat(path)).content_length, len(first) + len(second), "the length")
    equal(await target.operator.read(path), first + second, "the content")


@case("write", "write_with_append", "read")
async def append_extends_a_written_object(target: Target) -> None:
    """An object that was written without append can be appended to."""
    path = target.path()
    content = await target.put(path)
    await target.operator.write(path, b"and more", append=True)
    equal(await target.operator.read(path), content + b"and more", "the content")


@case("write", "write_with_append", "stat")
async def append_tells_what_stat_tells(target: Target) -> None:
    """An append returns the metadata of the whole object."""
    path = target.path()
    await target.operator.write(path, b"one", append=True)
    returned = await target.operator.write(path, b"two", append=True)
    metadata = await target.operator.stat(path)
    equal((returned.content_length, metadata.content_length), (6, 6), "the length by the append, and by stat")
    for name in ("etag", "last_modified", "version"):
        if (value := getattr(returned, name)) is not None:
            equal(getattr(metadata, name), value, f"{name} of stat, beside that of the append")


@case("write", "write_with_append", "read")
async def writer_appends_piece_by_piece(target: Target) -> None:
    """An appending writer adds all of its pieces after the existing content."""
    path = target.path()
    content = await target.put(path)
    pieces = [target.content(70_000) for _ in range(10)]
    async with target.operator.writer(path, append=True) as writer:
        for piece in pieces:
            await writer.write(piece)
    equal(await target.operator.read(path), content + b"".join(pieces), "the content")


@case("write", "write_with_append", "read")
async def append_of_nothing_changes_nothing(target: Target) -> None:
    """Appending no bytes leaves the object unchanged."""
    path = target.path()
    content = await target.put(path)
    await target.operator.write(path, b"", append=True)
    equal(await target.operator.read(path), content, "the content")


@case("write", "write_with_append", "read")
async def concurrent_appends_lose_nothing(target: Target) -> None:
    """Each of several concurrent appends is stored once and whole, or is refused."""
    path = target.path()
    records = [bytes([65 + index]) * 1000 for index in range(8)]

    def append(record: bytes) -> Callable[[], Awaitable[Metadata]]:
        return lambda: target.operator.write(path, record, append=True)

    results = await together(*map(append, records))
    made = [record for record, result in zip(records, results, strict=True) if not isinstance(result, Error)]
    refusals = {type(result) for result in results if isinstance(result, Error)}
    check(refusals <= {ConditionNotMatch}, f"an append at the same time as others failed with {refusals}")
    content = await target.operator.read(path)
    records = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    equal(sorted(records), sorted(made), "the records in the object")
