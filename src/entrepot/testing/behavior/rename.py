"""Moving within a storage."""

from __future__ import annotations

from entrepot.errors import IsADirectory, IsSameFile, NotFound, ObjectExists

from .case import case
from .expect import equal
from .target import SPECIAL, Target


@case("rename", "read", "write")
async def content_moves(target: Target) -> None:
    """The target has the content, and the source does not exist."""
    await _moves(target, target.path("source"), target.path("target"))


@case("rename", "read", "write")
async def special_characters_are_characters(target: Target) -> None:
    """Names with special characters can be renamed."""
    await _moves(target, target.path(SPECIAL), target.path(SPECIAL))


@case("rename", "read", "write")
async def parents_are_made(target: Target) -> None:
    """The directories above the target need not exist."""
    await _moves(target, f"{target.directory()}a/source", f"{target.directory()}b/c/target")


@case("rename", "read", "write")
async def target_is_replaced(target: Target) -> None:
    """The object at the target is replaced."""
    source, renamed = target.path("source"), target.path("target")
    await target.put(renamed, target.content(9000))
    await _moves(target, source, renamed)


@case("rename", "write", "read")
async def missing_source_is_not_found(target: Target) -> None:
    """Renaming a missing source fails, and the target stays."""
    source, renamed = target.path("source"), target.path("target")
    content = await target.put(renamed)
    with target.raises(NotFound, "rename", path=source):
        await target.operator.rename(source, renamed)
    equal(await target.operator.read(renamed), content, "the content of the target")


@case("rename", "create_dir")
async def directory_as_source_is_refused(target: Target) -> None:
    """A directory cannot be renamed."""
    source = target.directory()
    await target.operator.create_dir(source)
    with target.raises(IsADirectory, "rename", path=source):
        await target.operator.rename(source, target.path())


@case("rename", "write", "create_dir")
async def directory_as_target_is_refused(target: Target) -> None:
    """A directory cannot be the target."""
    source, renamed = target.path(), target.directory()
    await target.put(source)
    await target.operator.create_dir(renamed)
    with target.raises(IsADirectory, "rename", path=source):
        await target.operator.rename(source, renamed)


@case("rename", "write", "read")
async def onto_itself_is_refused(target: Target) -> None:
    """Source and target must differ."""
    path = target.path()
    content = await target.put(path)
    with target.raises(IsSameFile, "rename", path=path):
        await target.operator.rename(path, path)
    equal(await target.operator.read(path), content, "the content")


@case("rename", "rename_with_if_not_exists", "read", "write")
async def if_not_exists_to_a_new_target(target: Target) -> None:
    """With `if_not_exists`, an object moves to a target that does not exist."""
    await _moves(target, target.path("source"), target.path("target"), if_not_exists=True)


@case("rename", "rename_with_if_not_exists", "read", "write")
async def if_not_exists_into_missing_parents(target: Target) -> None:
    """The same into directories that do not exist."""
    await _moves(target, target.path("source"), f"{target.directory()}a/b/target", if_not_exists=True)


@case("rename", "rename_with_if_not_exists", "read", "write")
async def if_not_exists_to_an_old_target(target: Target) -> None:
    """With `if_not_exists` and an existing target, both objects stay."""
    source, renamed = target.path("source"), target.path("target")
    contents = await target.put_all([source, renamed])
    with target.raises(ObjectExists, "rename", path=source):
        await target.operator.rename(source, renamed, if_not_exists=True)
    for path, content in contents.items():
        equal(await target.operator.read(path), content, f"the content of {path!r}")


async def _moves(target: Target, source: str, renamed: str, *, if_not_exists: bool = False) -> None:
    content = await target.put(source)
    await target.operator.rename(source, renamed, if_not_exists=if_not_exists)
    equal(await target.operator.read(renamed), content, "the content of the target")
    with target.raises(NotFound, "read", path=source):
        await target.operator.read(source)
