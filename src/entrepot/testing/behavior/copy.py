"""Copying within a storage."""

from __future__ import annotations

from entrepot.errors import ConditionNotMatch, IsADirectory, IsSameFile, NotFound, ObjectExists

from .case import case
from .conditions import OTHER_ETAG
from .expect import equal
from .target import SPECIAL, Target


@case("copy", "read", "write")
async def content_is_that_of_the_source(target: Target) -> None:
    """The target has the content of the source, which stays."""
    await _copies(target, target.path("source"), target.path("target"))


@case("copy", "read", "write")
async def names_of_other_scripts(target: Target) -> None:
    """Names that are not ASCII are copied."""
    await _copies(target, target.path("🐂🍺中文.docx"), target.path("😈🐅Français.docx"))


@case("copy", "read", "write")
async def special_characters_are_characters(target: Target) -> None:
    """Names with special characters are copied, as source and as target."""
    await _copies(target, target.path(SPECIAL), target.path(SPECIAL))


@case("copy", "read", "write", "delete")
async def hints_change_nothing(target: Target) -> None:
    """The content is the same for any chunk size and any stated length."""
    source, copied = target.path("source"), target.path("target")
    content = await target.put(source, target.content(100_000))
    for chunk, size in ((1, 0), (30_000, 100_000), (None, 10 * 1024**3)):
        await target.operator.copy(source, copied, chunk=chunk, concurrent=2, source_content_length_hint=size)
        equal(await target.operator.read(copied), content, f"the content of the target, of a stated size of {size}")
        await target.operator.delete(copied)


@case("copy", "read", "write", "write_can_empty")
async def empty_object(target: Target) -> None:
    """An object without bytes can be copied."""
    source, copied = target.path("source"), target.path("target")
    await target.put(source, b"")
    await target.operator.copy(source, copied)
    equal(await target.operator.read(copied), b"", "the content of the target")


@case("copy", "write", "stat")
async def missing_source_is_not_found(target: Target) -> None:
    """A copy of a missing source fails and creates no target."""
    source, copied = target.path("source"), target.path("target")
    with target.raises(NotFound, "copy", path=source):
        await target.operator.copy(source, copied)
    equal(await target.operator.exists(copied), expected=False, what="exists, of the target")


@case("copy", "create_dir")
async def directory_as_source_is_refused(target: Target) -> None:
    """A directory cannot be copied."""
    source = target.directory()
    await target.operator.create_dir(source)
    with target.raises(IsADirectory, "copy", path=source):
        await target.operator.copy(source, target.path())


@case("copy", "write", "create_dir")
async def directory_as_target_is_refused(target: Target) -> None:
    """A directory cannot be the target."""
    source, copied = target.path(), target.directory()
    await target.put(source)
    await target.operator.create_dir(copied)
    with target.raises(IsADirectory, "copy", path=source):
        await target.operator.copy(source, copied)


@case("copy", "write", "read")
async def onto_itself_is_refused(target: Target) -> None:
    """Source and target must differ."""
    path = target.path()
    content = await target.put(path)
    for spelling in (path, f"/{path}"):
        with target.raises(IsSameFile, "copy", path=path):
            await target.operator.copy(path, spelling)
    equal(await target.operator.read(path), content, "the content")


@case("copy", "read", "write")
async def parents_are_made(target: Target) -> None:
    """The directories above the target need not exist."""
    await _copies(target, f"{target.directory()}a/source", f"{target.directory()}b/c/target")


@case("copy", "read", "write")
async def target_is_replaced(target: Target) -> None:
    """The object at the target is replaced, also by a shorter one."""
    source, copied = target.path("source"), target.path("target")
    content = await target.put(source, target.content(3000))
    await target.put(copied, target.content(9000))
    await target.operator.copy(source, copied)
    equal(await target.operator.read(copied), content, "the content of the target")


@case("copy", "read", "write")
async def copy_is_an_object_of_its_own(target: Target) -> None:
    """Later changes of the source do not change the copy."""
    source, copied = target.path("source"), target.path("target")
    content = await target.put(source, target.content(3000))
    await target.operator.copy(source, copied)
    await target.put(source, target.content(3000))
    equal(await target.operator.read(copied), content, "the content of the target")


@case("copy", "write", "stat", "write_with_content_type")
async def content_type_is_copied(target: Target) -> None:
    """Metadata stored with the source is copied too."""
    source, copied = target.path("source"), target.path("target")
    await target.operator.write(source, b"{}", content_type="application/json")
    await target.operator.copy(source, copied)
    equal((await target.operator.stat(copied)).content_type, "application/json", "the content type of the target")


@case("copy", "write", "stat", "write_with_user_metadata")
async def user_metadata_is_copied(target: Target) -> None:
    """User metadata of the source is copied."""
    source, copied = target.path("source"), target.path("target")
    await target.operator.write(source, b"content", user_metadata={"location": "everywhere"})
    await target.operator.copy(source, copied)
    user_metadata = dict((await target.operator.stat(copied)).user_metadata)
    equal(user_metadata, {"location": "everywhere"}, "the user metadata of the target")


_METADATA = ("copy_with_content_type", "copy_with_cache_control", "copy_with_user_metadata")


@case("copy", "read", "write", "stat", *_METADATA)
async def metadata_is_replaced(target: Target) -> None:
    """What a copy states takes the place of the source's metadata, and the rest is copied. The source is unchanged."""
    source, copied = target.path("source"), target.path("target")
    user = {"a": "1", "b": "2"}
    await target.operator.write(
        source, b"content", content_type="text/x-old", cache_control="no-store", user_metadata=user
    )
    await target.operator.copy(source, copied, content_type="text/x-new", user_metadata={"b": "3"})
    made, old = await target.operator.stat(copied), await target.operator.stat(source)
    equal((made.content_type, made.cache_control), ("text/x-new", "no-store"), "the headers of the target")
    equal(dict(made.user_metadata), {"b": "3"}, "the user metadata of the target")
    equal((old.content_type, dict(old.user_metadata)), ("text/x-old", {"a": "1", "b": "2"}), "the source")
    equal(await target.operator.read(copied), b"content", "the content of the target")


@case("copy", "read", "write", "stat", *_METADATA)
async def metadata_is_replaced_in_place(target: Target) -> None:
    """An object may be copied onto itself with other metadata."""
    path = target.path()
    await target.operator.write(path, b"content", content_type="text/x-old", user_metadata={"a": "1"})
    await target.operator.copy(path, path, content_type="text/x-new")
    made = await target.operator.stat(path)
    equal((made.content_type, dict(made.user_metadata)), ("text/x-new", {"a": "1"}), "the metadata")
    equal(await target.operator.read(path), b"content", "the content")


@case("copy", "write", "write_with_tags", "copy_with_tags", "get_tags")
async def tags_are_copied_or_replaced(target: Target) -> None:
    """The tags of the source are copied, unless the copy states others."""
    source, copied, tagged = target.path("source"), target.path("target"), target.path("tagged")
    await target.operator.write(source, b"content", tags={"a": "1", "b c": "ü"})
    await target.operator.copy(source, copied)
    await target.operator.copy(source, tagged, tags={"d": "2"})
    equal(dict(await target.operator.get_tags(copied)), {"a": "1", "b c": "ü"}, "the tags of the target")
    equal(dict(await target.operator.get_tags(tagged)), {"d": "2"}, "the tags of the tagged target")


@case("copy", "copy_with_if_not_exists", "read", "write")
async def if_not_exists_to_a_new_target(target: Target) -> None:
    """With `if_not_exists`, a target that does not exist is created."""
    source, copied = target.path("source"), target.path("target")
    content = await target.put(source)
    await target.operator.copy(source, copied, if_not_exists=True)
    equal(await target.operator.read(copied), content, "the content of the target")


@case("copy", "copy_with_if_not_exists", "read", "write")
async def if_not_exists_to_an_old_target(target: Target) -> None:
    """With `if_not_exists`, an existing target stays."""
    source, copied = target.path("source"), target.path("target")
    contents = await target.put_all([source, copied])
    with target.raises(ObjectExists, "copy", path=source):
        await target.operator.copy(source, copied, if_not_exists=True)
    equal(await target.operator.read(copied), contents[copied], "the content of the target")


@case("copy", "copy_with_if_match", "stat", "read", "write")
async def if_match_that_holds(target: Target) -> None:
    """With the etag of the target, the target is replaced."""
    source, copied = target.path("source"), target.path("target")
    contents = await target.put_all([source, copied])
    await target.operator.copy(source, copied, if_match=(await target.operator.stat(copied)).etag)
    equal(await target.operator.read(copied), contents[source], "the content of the target")


@case("copy", "copy_with_if_match", "read", "write")
async def if_match_that_fails(target: Target) -> None:
    """With another etag, the target stays."""
    source, copied = target.path("source"), target.path("target")
    contents = await target.put_all([source, copied])
    with target.raises(ConditionNotMatch, "copy", path=source):
        await target.operator.copy(source, copied, if_match=OTHER_ETAG)
    equal(await target.operator.read(copied), contents[copied], "the content of the target")


async def _copies(target: Target, source: str, copied: str) -> None:
    content = await target.put(source)
    await target.operator.copy(source, copied)
    equal(await target.operator.read(copied), content, "the content of the target")
    equal(await target.operator.read(source), content, "the content of the source")
