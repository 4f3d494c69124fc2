"""The metadata of files and directories."""

from __future__ import annotations

from entrepot.errors import NotFound

from .case import case
from .expect import check, equal
from .target import SPECIAL, Target


@case("stat", "put")
async def file_has_mode_and_length(target: Target) -> None:
    """A file is a file and has the length of its content."""
    await _is_file(target, target.path())


@case("stat", "put")
async def special_characters_are_characters(target: Target) -> None:
    """A name with special characters is found."""
    await _is_file(target, target.path(SPECIAL))


@case("stat", "put")
async def leading_slashes_say_nothing(target: Target) -> None:
    """Leading slashes are ignored: `"//a"` means `"a"`."""
    path = target.path()
    await target.put(path)
    expected = await target.operator.stat(path)
    for spelling in (f"/{path}", f"//{path}"):
        equal(await target.operator.stat(spelling), expected, f"stat of {spelling!r}")


@case("stat", "put")
async def many_paths(target: Target) -> None:
    """The metadata of many paths is in their order, and None where nothing is."""
    paths = [target.path() for _ in range(5)]
    for path in paths[1:]:
        await target.put(path)
    expected = [await target.operator.stat(path) for path in paths[1:]]
    found = await target.operator.stat_many([*reversed(paths), paths[0]], concurrent=2)
    equal(found, [*reversed(expected), None, None], "stat_many")


@case("stat", "put", "create_dir")
async def file_is_no_directory(target: Target) -> None:
    """A file is not found under its name with a trailing slash."""
    path = target.path()
    await target.put(path)
    with target.raises(NotFound, "stat", path=f"{path}/"):
        await target.operator.stat(f"{path}/")


@case("stat", "create_dir")
async def directory_is_found(target: Target) -> None:
    """A directory is found as one; without its slash it is found as one, or not at all."""
    path = target.directory()
    await target.operator.create_dir(path)
    await _is_directory(target, path)
    try:
        without_slash = await target.operator.stat(path.removesuffix("/"))
    except NotFound:
        return
    check(without_slash.is_dir, f"{path.removesuffix('/')!r} is {without_slash.mode}, and it is the directory {path!r}")


@case("stat", "write", "create_dir")
async def parent_of_a_file_is_a_directory(target: Target) -> None:
    """A created directory is still a directory with a file in it."""
    parent = target.directory()
    await target.operator.create_dir(parent)
    await target.put(f"{parent}file")
    await _is_directory(target, parent)


@case("stat", "write", "list")
async def parents_that_nobody_made_are_directories(target: Target) -> None:
    """The parents of a file are directories, at every depth."""
    parent = target.directory()
    await target.put(f"{parent}a/b/file")
    for path in (parent, f"{parent}a/", f"{parent}a/b/"):
        await _is_directory(target, path)


@case("stat")
async def missing_file_is_not_found(target: Target) -> None:
    """A file that was never written is not found."""
    path = target.path()
    with target.raises(NotFound, "stat", path=path):
        await target.operator.stat(path)
    equal(await target.operator.exists(path), expected=False, what="exists")


@case("stat", "create_dir")
async def missing_directory_is_not_found(target: Target) -> None:
    """A directory that was never created and has no contents is not found."""
    path = target.directory()
    with target.raises(NotFound, "stat", path=path):
        await target.operator.stat(path)


@case("stat", "put", "list")
async def prefix_of_a_name_is_not_found(target: Target) -> None:
    """A prefix of a name is neither an object nor a directory."""
    path = target.path("name-and-more")
    await target.put(path)
    beginning = path.removesuffix("-and-more")
    for missing in (beginning, f"{beginning}/"):
        with target.raises(NotFound, "stat", path=missing):
            await target.operator.stat(missing)


@case("stat")
async def root_is_a_directory(target: Target) -> None:
    """The root is found in every spelling."""
    for path in ("", "/", "//"):
        await _is_directory(target, path)


@case("stat", "put")
async def exists_is_true_for_an_object_alone(target: Target) -> None:
    """`exists` is True for an object and False for similar names."""
    path = target.path()
    await target.put(path)
    equal(await target.operator.exists(path), expected=True, what="exists, of an object")
    equal(await target.operator.exists(f"{path}x"), expected=False, what="exists, of what has a longer name")


async def _is_file(target: Target, path: str) -> None:
    content = await target.put(path)
    metadata = await target.operator.stat(path)
    check(metadata.is_file, f"{path!r} is {metadata.mode}, and it is a file")
    equal(metadata.content_length, len(content), f"the length of {path!r}")


async def _is_directory(target: Target, path: str) -> None:
    metadata = await target.operator.stat(path)
    check(metadata.is_dir, f"{path!r} is {metadata.mode}, and it is a directory")
