"""Deleting objects and directories."""

from __future__ import annotations

from collections.abc import AsyncIterator

from entrepot.errors import ConditionNotMatch, DeletionsFailed, InvalidInput, IsADirectory, NotFound

from .case import case
from .conditions import OTHER_ETAG
from .expect import check, equal
from .target import SPECIAL, Target


@case("delete", "write", "stat")
async def object_is_gone(target: Target) -> None:
    """A deleted object does not exist."""
    path = target.path()
    await target.put(path)
    await target.operator.delete(path)
    await _is_gone(target, path)


@case("delete", "delete_with_if_match", "write", "stat")
async def if_match_that_holds(target: Target) -> None:
    """The object is deleted if it has the etag."""
    path = target.path()
    await target.put(path)
    await target.operator.delete(path, if_match=(await target.operator.stat(path)).etag)
    await _is_gone(target, path)


@case("delete", "delete_with_if_match", "write", "stat")
async def if_match_that_fails(target: Target) -> None:
    """An object with another etag stays."""
    path = target.path()
    await target.put(path)
    with target.raises(ConditionNotMatch, "delete", path=path):
        await target.operator.delete(path, if_match=OTHER_ETAG)
    equal(await target.operator.exists(path), expected=True, what="exists")


@case("delete", "delete_with_if_match")
async def if_match_of_what_is_missing(target: Target) -> None:
    """An object that does not exist has no etag."""
    path = target.path()
    with target.raises(ConditionNotMatch, "delete", path=path):
        await target.operator.delete(path, if_match=OTHER_ETAG)


@case("delete", "write", "stat")
async def special_characters_are_characters(target: Target) -> None:
    """An object with special characters in its name is deleted, and no other."""
    path = target.path(SPECIAL)
    await target.put_all([path, f"{path}2"])
    await target.operator.delete(path)
    await _is_gone(target, path)
    equal(await target.operator.exists(f"{path}2"), expected=True, what="exists, of the similar name")


@case("delete", "create_dir", "stat")
async def empty_directory_is_gone(target: Target) -> None:
    """An empty directory can be deleted."""
    path = target.directory()
    await target.operator.create_dir(path)
    await target.operator.delete(path)
    await _is_gone(target, path)


@case("delete")
async def missing_object_is_no_error(target: Target) -> None:
    """Deleting a missing file, a missing directory or a file in one succeeds."""
    for path in (target.path(), target.directory(), f"{target.directory()}a/b"):
        await target.operator.delete(path)


@case("delete", "write", "stat")
async def deleting_twice_is_no_error(target: Target) -> None:
    """A second deletion of an object succeeds."""
    path = target.path()
    await target.put(path)
    await target.operator.delete(path)
    await target.operator.delete(path)
    await _is_gone(target, path)


@case("delete", "write", "read", "list")
async def directory_that_is_not_empty_keeps_its_contents(target: Target) -> None:
    """Without `recursive` a directory with contents is refused, and nothing is deleted."""
    parent = target.directory()
    content = await target.put(f"{parent}file")
    for path in (parent, "/"):
        with target.raises(IsADirectory, "delete", path=path):
            await target.operator.delete(path)
    equal(await target.operator.read(f"{parent}file"), content, "the content of the file in it")


@case("delete", "write", "list", "create_dir")
async def directory_and_its_contents_in_one_call(target: Target) -> None:
    """Contents that are deleted in the same call do not keep a directory, whatever the order."""
    parent = target.directory()
    await target.operator.create_dir(parent)
    await target.operator.create_dir(f"{parent}sub/")
    await target.put_all([f"{parent}file", f"{parent}sub/file"])
    await target.operator.delete_many([parent, f"{parent}file", f"{parent}sub/", f"{parent}sub/file"])
    equal(await target.operator.exists(parent), False, "whether the directory exists")


@case("delete", "write", "list", "flat")
async def directories_that_nobody_made_go_with_their_contents(target: Target) -> None:
    """Where names are keys, a directory exists while it has contents."""
    parent = target.directory()
    await target.put_all([f"{parent}a/file", f"{parent}b/file"])
    await target.operator.delete(f"{parent}a/file")
    equal(set(await target.listed(parent)), {parent, f"{parent}b/"}, "the listing of the parent")
    equal(list(await target.listed(f"{parent}a/")), [], "the listing of the directory")


@case("delete", "write", "stat")
async def leading_slash_says_nothing(target: Target) -> None:
    """`"/a"` means `"a"`, in one deletion and in many."""
    path = target.path()
    await target.put(path)
    await target.operator.delete_many([path])
    await _is_gone(target, path)
    await target.put(path)
    await target.operator.delete_many([f"/{path}"])
    await _is_gone(target, path)
    await target.put(f"/{path}")
    await target.operator.delete(f"//{path}")
    await _is_gone(target, path)


@case("delete", "write", "stat", "list")
async def many_paths(target: Target) -> None:
    """A hundred paths of an async iterator are deleted."""
    parent = target.directory()
    paths = [f"{parent}{number}" for number in range(100)]
    await target.put_all(paths[:50])  # of the others nothing is there

    async def trickle() -> AsyncIterator[str]:
        for path in paths:
            yield path

    await target.operator.delete_many(trickle())
    left = await target.listed(parent, recursive=True)
    equal([path for path in left if path != parent], [], "the remaining entries")


@case("delete", "write", "list")
async def many_entries(target: Target) -> None:
    """The entries of a lister can be deleted while it is iterated."""
    parent = target.directory()
    await target.put_all([f"{parent}{number}" for number in range(11)])
    keep = f"{parent}0-keep"
    await target.put(keep)

    async def entries() -> AsyncIterator[str]:
        async for entry in target.operator.lister(parent, limit=3):
            if entry.metadata.is_file and entry.path != keep:
                yield entry.path

    await target.operator.delete_many(entries())
    left = await target.listed(parent, recursive=True)
    equal([path for path in left if path != parent], [keep], "the remaining entries")


@case("delete", "write", "stat")
async def batch(target: Target) -> None:
    """Several paths are deleted together, some of which are missing or named twice."""
    paths = [target.path() for _ in range(5)]
    await target.put_all(paths)
    await target.operator.delete_many([*paths, target.path(), paths[0]])
    for path in paths:
        await _is_gone(target, path)


@case("delete", "write", "stat")
async def path_that_cannot_be_fails_before_anything_is_deleted(target: Target) -> None:
    """A list with an invalid path is refused as a whole."""
    path = target.path()
    await target.put(path)
    try:
        await target.operator.delete_many([path, "nul\0"])
    except (InvalidInput, DeletionsFailed) as error:
        equal(error.operation, "delete_many", "the operation that the error names")
    else:
        raise AssertionError("delete_many of a path with a NUL: expected InvalidInput, got no error")


@case("delete", "delete_with_recursive", "write", "list", "stat")
async def recursive(target: Target) -> None:
    """A directory is deleted with all its contents."""
    parent = target.directory()
    paths = [f"{parent}{name}" for name in ("a", "b/c", "b/d/e", "b/d/f/g")]
    await target.put_all(paths)
    await target.operator.delete(parent, recursive=True)
    equal(list(await target.listed(parent, recursive=True)), [], "the remaining entries")
    for path in (*paths, parent):
        await _is_gone(target, path)


@case("delete", "delete_with_recursive", "write", "list")
async def removed_directory_is_not_listed(target: Target) -> None:
    """A directory that was deleted recursively is not in the listing of its parent any more."""
    parent = target.directory()
    await target.put_all([f"{parent}{name}" for name in ("kept", "gone/a", "gone/b/c")])
    await target.operator.delete(f"{parent}gone/", recursive=True)
    equal(set(await target.listed(parent)), {parent, f"{parent}kept"}, "the listing of the parent")


@case("delete", "delete_with_recursive", "write", "create_dir", "list")
async def recursive_with_directories(target: Target) -> None:
    """Created directories are deleted too, full and empty ones."""
    parent = target.directory()
    for name in ("", "x/", "x/x/", "y/"):
        await target.operator.create_dir(f"{parent}{name}")
    await target.put_all([f"{parent}x/x/file", f"{parent}file"])
    await target.operator.delete(parent, recursive=True)
    equal(list(await target.listed(parent, recursive=True)), [], "the remaining entries")


@case("delete", "delete_with_recursive", "write", "stat")
async def recursive_without_the_slash(target: Target) -> None:
    """Without the trailing slash the same is deleted, and no name that only shares the prefix."""
    name = target.path("dir")
    paths = [f"{name}/b", f"{name}/c", f"{name}/d/e"]
    await target.put_all([*paths, f"{name}2", f"{name}2-dir/file"])
    await target.operator.delete(name, recursive=True)
    for path in paths:
        await _is_gone(target, path)
    for path in (f"{name}2", f"{name}2-dir/file"):
        equal(await target.operator.exists(path), expected=True, what=f"exists, of {path!r}, which only begins alike")


@case("delete", "delete_with_recursive", "write", "stat", "flat")
async def recursive_with_an_object_of_the_same_name(target: Target) -> None:
    """Where names are keys, a recursive deletion of `"k"` deletes the object `"k"` and all keys under `"k/"`."""
    name = target.path("k")
    paths = [name, f"{name}/a", f"{name}/a/b", f"{name}/a/c", f"{name}/a/b/e"]
    await target.put_all(paths)
    await target.operator.delete(name, recursive=True)
    for path in paths:
        await _is_gone(target, path)


@case("delete", "delete_with_recursive", "write", "stat")
async def recursive_of_a_file(target: Target) -> None:
    """A recursive deletion of a file deletes the file."""
    path = target.path()
    await target.put(path)
    await target.operator.delete(path, recursive=True)
    await _is_gone(target, path)


@case("delete", "delete_with_recursive", "write", "read")
async def recursive_with_the_slash_of_a_file(target: Target) -> None:
    """A path with a trailing slash names a directory, so that an object of the name without it stays."""
    path = target.path()
    content = await target.put(path)
    await target.operator.delete(f"{path}/", recursive=True)
    equal(await target.operator.read(path), content, "the content of the object of the same name")


@case("delete", "delete_with_recursive", "write", "read", "stat", "flat")
async def recursive_with_the_slash_beside_an_object_of_the_same_name(target: Target) -> None:
    """Where names are keys, a recursive deletion of `"k/"` leaves the object `"k"`."""
    name = target.path("k")
    content = await target.put(name)
    paths = [f"{name}/a", f"{name}/a/b", f"{name}/c"]
    await target.put_all(paths)
    await target.operator.delete(f"{name}/", recursive=True)
    for path in paths:
        await _is_gone(target, path)
    equal(await target.operator.read(name), content, "the content of the object of the same name")


@case("delete", "delete_with_recursive")
async def recursive_of_what_is_missing_is_no_error(target: Target) -> None:
    """A recursive deletion of a missing path succeeds."""
    for path in (target.path(), target.directory()):
        await target.operator.delete(path, recursive=True)


@case("delete", "write", "read")
async def deleted_name_can_be_used_again(target: Target) -> None:
    """A new object under an old name has the new content."""
    path = target.path()
    for _ in range(2):
        content = await target.put(path)
        equal(await target.operator.read(path), content, "the content")
        await target.operator.delete(path)
        with target.raises(NotFound, "read", path=path):
            await target.operator.read(path)


async def _is_gone(target: Target, path: str) -> None:
    check(not await target.operator.exists(path), f"{path!r} is still there after its deletion")
