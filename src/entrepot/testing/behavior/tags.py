"""Tags: names and values of an object that can be replaced."""

from __future__ import annotations

from typing import Final

from entrepot.errors import IsADirectory, NotFound

from .case import case
from .expect import equal
from .target import Target

_TAGS: Final = {"Project": "entrepôt", "a b": "1 + 1 = 2", "empty": "", "path": "a/b:c@d_e-f.g"}


@case("write", "write_with_tags", "get_tags")
async def of_a_write(target: Target) -> None:
    """The tags of a write are read as they were written, and an object without them has none."""
    tagged, plain = target.path(), target.path()
    await target.operator.write(tagged, b"content", tags=_TAGS)
    await target.operator.write(plain, b"content")
    equal(dict(await target.operator.get_tags(tagged)), _TAGS, "the tags")
    equal(dict(await target.operator.get_tags(plain)), {}, "the tags of an object that was written without")


@case("write", "write_with_tags", "get_tags")
async def of_an_object_in_parts(target: Target) -> None:
    """An object in parts has the tags of its write too."""
    path = target.path()
    await target.operator.write(path, target.content(target.part + 1000), chunk=target.part, tags=_TAGS)
    equal(dict(await target.operator.get_tags(path)), _TAGS, "the tags")


@case("write", "get_tags", "set_tags", "read")
async def replaced(target: Target) -> None:
    """New tags replace all old ones, and the content stays."""
    path = target.path()
    content = await target.put(path)
    for tags in (_TAGS, {"other": "one"}, {}):
        await target.operator.set_tags(path, tags)
        equal(dict(await target.operator.get_tags(path)), tags, "the tags")
    equal(await target.operator.read(path), content, "the content")


@case("get_tags", "set_tags")
async def of_what_is_missing(target: Target) -> None:
    """An object that does not exist has no tags, and gets none."""
    path = target.path()
    with target.raises(NotFound, "get_tags", path=path):
        await target.operator.get_tags(path)
    with target.raises(NotFound, "set_tags", path=path):
        await target.operator.set_tags(path, {"a": "b"})


@case("get_tags", "set_tags")
async def of_a_directory_are_refused(target: Target) -> None:
    """A directory has no tags."""
    path = target.directory()
    with target.raises(IsADirectory, "get_tags", path=path):
        await target.operator.get_tags(path)
    with target.raises(IsADirectory, "set_tags", path=path):
        await target.operator.set_tags(path, {})
