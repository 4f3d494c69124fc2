"""Creating directories."""

from __future__ import annotations

from entrepot.errors import NotADirectory

from .case import case
from .expect import check, equal
from .target import SPECIAL, Target


@case("create_dir", "stat")
async def directory_is_there(target: Target) -> None:
    """A created directory is a directory."""
    path = target.directory()
    await target.operator.create_dir(path)
    await _is_directory(target, path)


@case("create_dir", "stat")
async def making_twice_is_no_error(target: Target) -> None:
    """An existing directory is left unchanged."""
    path = target.directory()
    await target.operator.create_dir(path)
    await target.operator.create_dir(path)
    await _is_directory(target, path)


@case("create_dir", "stat")
async def parents_are_made(target: Target) -> None:
    """The directories above it need not exist."""
    path = target.directory()
    await target.operator.create_dir(f"{path}a/b/")
    for directory in (path, f"{path}a/", f"{path}a/b/"):
        await _is_directory(target, directory)


@case("create_dir", "stat")
async def special_characters_are_characters(target: Target) -> None:
    """A name with special characters is kept as the name of the directory."""
    path = target.path(f"{SPECIAL}/")
    await target.operator.create_dir(path)
    await _is_directory(target, path)


@case("create_dir", "write", "read")
async def contents_are_kept(target: Target) -> None:
    """Creating a directory that exists and is not empty leaves its contents."""
    path = target.directory()
    content = await target.put(f"{path}file")
    await target.operator.create_dir(path)
    equal(await target.operator.read(f"{path}file"), content, "the content of the file in it")


@case("create_dir", "write", "delete", "stat")
async def directory_outlives_its_contents(target: Target) -> None:
    """A directory that was created after its contents stays when these are deleted, and is listed."""
    path = target.directory()
    await target.put(f"{path}a/file")
    await target.operator.create_dir(path)
    await target.operator.delete(f"{path}a/file")
    await target.operator.delete(f"{path}a/")
    await _is_directory(target, path)


@case("create_dir", "write", "list")
async def directory_with_contents_is_listed(target: Target) -> None:
    """A directory that was created after its contents is in a recursive listing of its parent."""
    path = target.directory()
    await target.put(f"{path}a/file")
    await target.operator.create_dir(f"{path}a/")
    check(f"{path}a/" in await target.listed(path, recursive=True), "the directory is listed")


@case("create_dir")
async def name_without_a_slash_is_refused(target: Target) -> None:
    """A path without a trailing slash names a file."""
    path = target.path()
    with target.raises(NotADirectory, "create_dir", path=path):
        await target.operator.create_dir(path)


async def _is_directory(target: Target, path: str) -> None:
    metadata = await target.operator.stat(path)
    check(metadata.is_dir, f"{path!r} is {metadata.mode}, and it is a directory")
