"""Versions of objects, where the storage keeps them."""

from __future__ import annotations

from typing import Final

from entrepot.errors import InvalidInput, NotFound
from entrepot.types import Entry, Metadata

from .case import case
from .expect import check, equal
from .target import Target

MALFORMED: Final = "no/version at all+"


@case("stat", "stat_with_version", "write")
async def stat_of_a_version(target: Target) -> None:
    """The metadata of each version is found, also after the object was overwritten."""
    path = target.path()
    first = await _written(target, path, b"first")
    equal(await _stat(target, path, first), first, "stat of the version that is current")
    second = await _written(target, path, b"the second")
    check(first.version != second.version, f"two versions share the id {first.version!r}")
    for metadata in (first, second):
        stated = await _stat(target, path, metadata)
        equal((stated.content_length, stated.etag), (metadata.content_length, metadata.etag), "stat of a version")


@case("stat", "stat_with_version", "write")
async def stat_of_a_version_of_another_object(target: Target) -> None:
    """The version of another object is not found."""
    path, other = target.path(), target.path()
    await _written(target, path, b"content")
    foreign = await _written(target, other, b"content of another")
    with target.raises(NotFound, "stat", path=path):
        await _stat(target, path, foreign)


@case("stat", "read", "read_with_version", "write")
async def read_of_a_version(target: Target) -> None:
    """Each version has its content."""
    path = target.path()
    first = await _written(target, path, b"first")
    equal(await target.operator.read(path, version=first.version), b"first", "the version that is current")
    second = await _written(target, path, b"second")
    equal(await target.operator.read(path, version=first.version), b"first", "the old version")
    equal(await target.operator.read(path, version=second.version), b"second", "the new version")
    equal(await target.operator.read(path), b"second", "no version")


@case("stat", "read", "read_with_version", "write")
async def read_of_a_version_of_another_object(target: Target) -> None:
    """The version of another object is not found."""
    path, other = target.path(), target.path()
    await _written(target, path, b"content")
    foreign = await _written(target, other, b"content of another")
    with target.raises(NotFound, "read", path=path):
        await target.operator.read(path, version=foreign.version)


@case("stat", "read", "read_with_version", "write", "delete")
async def read_of_a_version_after_a_deletion(target: Target) -> None:
    """A deletion keeps the versions."""
    path = target.path()
    first = await _written(target, path, b"first")
    await target.operator.delete(path)
    with target.raises(NotFound, "read", path=path):
        await target.operator.read(path)
    equal(await target.operator.read(path, version=first.version), b"first", "the version of the deleted object")


@case("stat", "stat_with_version", "write", "delete", "delete_with_version")
async def delete_of_a_version(target: Target) -> None:
    """The deletion of an object keeps its versions; the deletion of a version removes it for good."""
    path = target.path()
    first = await _written(target, path, b"first")
    await target.operator.delete(path)
    equal((await _stat(target, path, first)).content_length, 5, "the length of the version of the deleted object")
    await target.operator.delete(path, version=first.version)
    with target.raises(NotFound, "stat", path=path):
        await _stat(target, path, first)


@case("stat", "write", "delete", "delete_with_version")
async def delete_of_a_version_of_another_object(target: Target) -> None:
    """It deletes nothing and raises nothing."""
    path, other = target.path(), target.path()
    for written in (path, other):
        await _written(target, written, b"content")
    foreign = await target.operator.stat(other)
    await target.operator.delete(path, version=foreign.version)
    for kept in (path, other):
        equal(await target.operator.exists(kept), expected=True, what=f"exists, of {kept!r}")


@case("stat", "stat_with_version", "write", "delete", "delete_with_version", "list", "list_with_versions")
async def delete_of_many_versions(target: Target) -> None:
    """The listed versions of an object can be deleted together."""
    parent = target.directory()
    written = {(path, (await _written(target, path, b"x")).version) for path in [f"{parent}{n}" for n in range(5)] * 2}
    entries = [entry for entry in await target.operator.list(parent, versions=True) if entry.metadata.is_file]
    equal({(entry.path, entry.metadata.version) for entry in entries}, written, "the versions in the listing")
    await target.operator.delete_many(entries)
    for entry in entries:
        with target.raises(NotFound, "stat", path=entry.path):
            await _stat(target, entry.path, entry.metadata)


@case("stat", "write", "list", "list_with_versions")
async def list_of_versions(target: Target) -> None:
    """Each version is an entry; one of them is current."""
    parent = target.directory()
    path = f"{parent}file"
    written = [await _written(target, path, content) for content in (b"first", b"the second")]
    entries = [entry for entry in await target.operator.list(parent, versions=True) if entry.path != parent]
    equal({entry.path for entry in entries}, {path}, "the paths of the entries")
    equal({entry.name for entry in entries}, {"file"}, "the names of the entries")
    listed = {entry.metadata.version: entry.metadata.content_length for entry in entries}
    equal(listed, {metadata.version: metadata.content_length for metadata in written}, "versions and their lengths")
    current = [entry.metadata.version for entry in entries if entry.metadata.is_current]
    equal(current, [written[1].version], "the version that is current")


@case("stat", "write", "list", "list_with_versions")
async def list_of_versions_in_pages(target: Target) -> None:
    """With a small limit each version is listed once."""
    parent = target.directory()
    paths = [f"{parent}file-{number}" for number in range(11)]
    for path in paths * 2:
        await target.put(path)
    entries = await target.operator.list(parent, versions=True, limit=5)
    equal(_count_of(entries, paths), dict.fromkeys(paths, 2), "how many versions each file has")


@case("stat", "write", "list", "list_with_versions", "list_with_start_after")
async def list_of_versions_after_a_path(target: Target) -> None:
    """The versions of the objects after a path, and of no others."""
    parent = target.directory()
    paths = [f"{parent}file-{number}" for number in range(6)]
    for path in paths * 2:
        await target.put(path)
    entries = await target.operator.list(parent, versions=True, start_after=paths[2])
    equal(_count_of(entries, paths), dict.fromkeys(paths[3:], 2), "how many versions each file has")


@case("stat", "write", "delete", "list", "list_with_deleted")
async def list_of_deletions(target: Target) -> None:
    """The marker of a deletion is listed with `deleted`, and only then."""
    path = target.path()
    await _written(target, path, b"first")
    before = await target.operator.list(path, deleted=True)
    equal([(entry.path, entry.metadata.is_deleted) for entry in before], [(path, False)], "before the deletion")
    await _written(target, path, b"second")
    await target.operator.delete(path)
    after = await target.operator.list(path, deleted=True)
    equal([(entry.path, entry.metadata.is_deleted) for entry in after], [(path, True)], "after the deletion")
    equal(await target.operator.list(path), [], "the listing without deletions")


@case("stat", "write", "delete", "list", "list_with_versions", "list_with_deleted", "stat_with_version")
async def list_of_versions_and_deletions(target: Target) -> None:
    """The markers of deletions are listed among the versions; exactly one of all is current."""
    path = target.path()
    first = await _written(target, path, b"first")
    await target.operator.delete(path)
    listed = [entry.metadata for entry in await target.operator.list(path, versions=True, deleted=True)]
    states = {(metadata.is_deleted, metadata.is_current) for metadata in listed}
    equal((len(listed), states), (2, {(True, True), (False, False)}), "how many entries, which deleted and current")
    [kept] = [metadata.version for metadata in await _versions(target, path)]
    equal(kept, first.version, "the version that is listed without the marks")
    marks = [metadata.version for metadata in listed if metadata.is_deleted]
    with target.raises(NotFound, "stat", path=path):
        await target.operator.stat(path, version=marks[0])


@case("stat", "read", "write", "delete", "delete_with_version", "list", "list_with_deleted")
async def deletion_of_a_deletion_brings_the_object_back(target: Target) -> None:
    """The marker of a deletion is a version too, which can be deleted for good."""
    path = target.path()
    await _written(target, path, b"content")
    await target.operator.delete(path)
    [mark] = await target.operator.list(path, deleted=True)
    await target.operator.delete(path, version=mark.metadata.version)
    equal(await target.operator.read(path), b"content", "the content")


@case("stat", "read", "write", "copy", "copy_with_source_version")
async def copy_of_a_version(target: Target) -> None:
    """An old version can be copied to another path."""
    path, copied = target.path(), target.path()
    first = await _written(target, path, b"first")
    await _written(target, path, b"second")
    await target.operator.copy(path, copied, source_version=first.version)
    equal(await target.operator.read(copied), b"first", "the content of the target")
    equal(await target.operator.read(path), b"second", "the content of the source")


@case("stat", "read", "write", "copy", "copy_with_source_version")
async def copy_of_a_version_over_itself(target: Target) -> None:
    """An old version that is copied over its own object restores it."""
    path = target.path()
    first = await _written(target, path, b"first")
    await _written(target, path, b"second")
    await target.operator.copy(path, path, source_version=first.version)
    equal(await target.operator.read(path), b"first", "the content")


@case("stat", "read", "write", "copy", "copy_with_source_version")
async def copy_of_a_version_of_another_object(target: Target) -> None:
    """The version of another object is not found."""
    path, other, copied = target.path(), target.path(), target.path()
    await _written(target, path, b"content")
    foreign = await _written(target, other, b"content of another")
    with target.raises(NotFound, "copy", path=path):
        await target.operator.copy(path, copied, source_version=foreign.version)
    equal(await target.operator.exists(copied), expected=False, what="exists, of the target")


@case("stat", "stat_with_version", "read", "read_with_version", "write")
async def malformed_version(target: Target) -> None:
    """A malformed version is refused, or not found."""
    path = target.path()
    await _written(target, path, b"content")
    for name in ("stat", "read"):
        try:
            await getattr(target.operator, name)(path, version=MALFORMED)
        except (InvalidInput, NotFound) as error:
            equal((error.operation, error.path), (name, path), f"the operation and the path of the {error.kind}")
        else:
            raise AssertionError(f"{name} of the version {MALFORMED!r}: expected an error")


@case("stat_with_version", "write", "get_tags", "set_tags")
async def tags_of_a_version(target: Target) -> None:
    """Each version has its own tags."""
    path = target.path()
    old = (await target.operator.write(path, b"old")).version
    new = (await target.operator.write(path, b"new")).version
    await target.operator.set_tags(path, {"age": "old"}, version=old)
    equal(dict(await target.operator.get_tags(path, version=old)), {"age": "old"}, "the tags of the old version")
    equal(dict(await target.operator.get_tags(path, version=new)), {}, "the tags of the new version")
    equal(dict(await target.operator.get_tags(path)), {}, "the tags of the object")


async def _written(target: Target, path: str, content: bytes) -> Metadata:
    """The version of an object that was just written. Without one, the storage must be configured to keep versions."""
    await target.put(path, content)
    metadata = await target.operator.stat(path)
    check(metadata.version, "the service has versions, but this storage keeps none: configure it to keep them")
    return metadata


async def _versions(target: Target, path: str) -> list[Metadata]:
    return [entry.metadata for entry in await target.operator.list(path, versions=True)]


async def _stat(target: Target, path: str, of: Metadata) -> Metadata:
    return await target.operator.stat(path, version=of.version)


def _count_of(entries: list[Entry], paths: list[str]) -> dict[str, int]:
    listed = [entry.path for entry in entries if entry.path in paths]
    return {path: listed.count(path) for path in listed}
