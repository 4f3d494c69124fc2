"""`KeyedAccessor` over a table in memory whose values have versions, as far as no service shows it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from entrepot import ConditionNotMatch, ContentIncomplete, DeletionsFailed, InvalidInput, Unsupported
from entrepot.raw import AccessorInfo, OpCopy, OpDelete, OpList, OpRead, OpRename, OpStat, OpWrite, RpRead
from entrepot.raw.keyed import (
    CAPABILITY,
    LAST,
    LISTING,
    Found,
    KeyedAccessor,
    KeyValueStore,
    Scanned,
    Stored,
    end_of_prefix,
    part_of,
)
from entrepot.types import BytesRange
from entrepot.types.records import replace

FLAGS = replace(CAPABILITY, **LISTING, delete_max_size=10, delete_with_if_match=True)


class Table(KeyValueStore):
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.deletions: list[Sequence[str]] = []

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        return part_of(self.values[key], part, "1") if key in self.values else None

    async def find(self, key: str, version: str | None) -> Stored | None:
        return Stored(len(self.values[key]), "1") if key in self.values else None

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        if if_match not in (None, '"1"'):
            return None
        self.values[key] = content
        return Stored(len(content), "1")

    async def delete(self, keys: Sequence[str]) -> None:
        self.deletions.append(keys)
        for key in keys:
            self.values.pop(key, None)

    async def delete_matching(self, key: str, if_match: str) -> bool:
        return if_match == '"1"' and self.values.pop(key, None) is not None

    async def scan(self, prefix: str, after: str, limit: int) -> Scanned:
        keys = sorted(key for key in self.values if key.startswith(prefix) and key > after)[:limit]
        return [(key, Stored(len(self.values[key]), "1")) for key in keys], keys[-1] if len(keys) == limit else None


def over(table: KeyValueStore, max_key_size: int | None = None) -> KeyedAccessor:
    return KeyedAccessor(AccessorInfo("table", "/r/", native_capability=FLAGS), table, max_key_size)


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("a/", "a0"),
        ("a\U0010ffff", "b"),
        ("", None),
        ("\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("z\uffff", "z\U00010000"),
    ],
)
def test_the_end_of_a_prefix(prefix: str, end: str | None) -> None:
    assert end_of_prefix(prefix) == end


async def test_a_version_is_an_etag_and_only_a_listing_names_none() -> None:
    accessor = over(Table())
    written = await accessor.write_whole("a", b"content", OpWrite())
    assert (written.etag, written.version) == ('"1"', "1")  # type: ignore[union-attr]
    _, lister = await accessor.list("/", OpList(recursive=True))
    [entry] = await lister.next() or ()
    assert (entry.path, entry.metadata.etag, entry.metadata.version) == ("a", '"1"', None)


async def test_conditions_of_a_read_and_a_write() -> None:
    accessor = over(Table())
    await accessor.write_whole("a", b"content", OpWrite(if_match='"1"'))
    assert await accessor.read_whole("a", OpRead(if_match='"1"')) == b"content"
    with pytest.raises(ConditionNotMatch):
        await accessor.read_whole("a", OpRead(if_match='"2"'))
    with pytest.raises(ConditionNotMatch):
        await accessor.write_whole("a", b"x", OpWrite(if_match='"2"'))


async def test_deletions_with_a_condition_fail_alone() -> None:
    table = Table()
    table.values = {f"r/{name}": b"" for name in "abcd"}
    _, deleter = await over(table).delete()
    for path, args in (
        ("a", OpDelete()),
        ("b", OpDelete(if_match='"2"')),
        ("c", OpDelete(if_match='"1"')),
        ("x", OpDelete()),
    ):
        await deleter.delete(path, args)
    with pytest.raises(DeletionsFailed) as caught:
        await deleter.close()
    assert [failure.path for failure in caught.value.failures] == ["b"]
    assert (sorted(table.values), table.deletions) == (["r/b", "r/d"], [["r/a", "r/x"]])


async def test_a_key_that_is_too_long_is_refused_before_any_call() -> None:
    accessor = over(Table(), max_key_size=4)
    await accessor.write_whole("ab", b"", OpWrite())
    with pytest.raises(InvalidInput, match="4 bytes"):
        await accessor.write_whole("äb", b"", OpWrite())


async def test_a_whole_read_describes_the_value_that_it_returns() -> None:
    accessor, described = over(Table()), RpRead()
    await accessor.write_whole("a", b"content", OpWrite())
    assert await accessor.read_whole("a", OpRead(range=BytesRange(1, 3)), described) == b"on"
    assert described.metadata == (await accessor.stat("a", OpStat())).metadata


async def test_fewer_bytes_than_the_size_are_refused() -> None:
    class Short(Table):
        async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
            return Found(b"12", Stored(3))

    with pytest.raises(ContentIncomplete):
        await over(Short()).read_whole("a", OpRead())


async def test_what_a_store_leaves_out_is_unsupported() -> None:
    class Plain(Table):
        scan = KeyValueStore.scan
        delete_matching = KeyValueStore.delete_matching

    accessor = over(Plain())
    _, lister = await accessor.list("/", OpList())
    _, copier = await accessor.copy("a", "b", OpCopy())
    _, appender = await accessor.write("a", OpWrite(append=True))
    await appender.write(b"1")
    _, deleter = await accessor.delete()
    await deleter.delete("a", OpDelete(if_match='"1"'))
    for call in (
        lister.next(),
        copier.close(),
        appender.close(),
        deleter.close(),
        accessor.rename("a", "b", OpRename()),
    ):
        with pytest.raises(Unsupported):
            await call


async def test_a_listing_of_one_level_goes_on_after_names_that_begin_with_the_last_character() -> None:
    table = Table()
    table.values = {f"r/d/{LAST}{number}": b"" for number in range(3)} | {"r/e": b""}
    _, lister = await over(table).list("/", OpList(limit=1))
    paths = list[str]()
    while (page := await lister.next()) is not None:
        paths += [entry.path for entry in page]
    assert paths == ["d/", "e"]
