"""Copies and moves one file within a WebDAV server.

Theory of operation. A COPY or MOVE over a directory deletes it with its contents, and one of a directory takes its
contents along, so both names are looked at first. A target that does not exist must not be replaced (`Overwrite: F`),
so that a file of another client, made in the meantime, stays; then the target is looked at again.

WsgiDAV misreads `?`, `;` and tabs in the header Destination. So a request never replaces a target with one of them. It
is deleted only after the server has refused to replace it, and that refusal cannot be about the misread name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, IsADirectory, NotFound, Unexpected
from entrepot.raw.effects import note_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.ops import DEFAULT_DELETE
from entrepot.types import Metadata

from .core import WebdavDialect
from .names import may_be_misread, misread
from .resource import Resource
from .tree import Tree

_ATTEMPTS: Final = 8
"""How often a target that other clients make and delete at the same time is looked at."""

_MISREAD: Final = (
    "the server misreads the name of the target, which has '?', ';' or a tab, and may have made another file"
)
_MAY_BE_MISREAD: Final = (
    "the target exists, and a server may misread its name, which has '?', ';' or a tab: delete it first"
)


async def copy_file(
    client: HttpClient[WebdavDialect], tree: Tree, source: str, target: str, *, is_new: bool
) -> Metadata:
    """Copies a file with its user metadata, and replaces the target.

    Arguments:
        client: sends the requests.
        tree: finds both files.
        source: the key of the file.
        target: the key of the copy.
        is_new: whether the target must be new.

    Raises:
        NotFound: there is no source.
        IsADirectory: the source or the target is a directory.
        ObjectExists: the target exists and must be new.
    """
    try:
        copied = await _transfer(client, tree, client.dialect.copy, source, target, is_new=is_new)
    except Error as error:
        if is_new:
            note_doubt(error)
        raise
    return Metadata(content_length=copied.length)


async def move_file(client: HttpClient[WebdavDialect], tree: Tree, source: str, target: str, *, is_new: bool) -> None:
    """Moves a file, and replaces the target. Arguments and errors as `copy_file`."""
    try:
        await _transfer(client, tree, client.dialect.move, source, target, is_new=is_new)
    except Error as error:
        note_doubt(error)
        raise


async def _transfer(
    client: HttpClient[WebdavDialect],
    tree: Tree,
    build: Callable[..., HttpRequest],
    source: str,
    target: str,
    *,
    is_new: bool,
) -> Resource:
    moved = await tree.find(source)
    if moved.is_directory:
        raise IsADirectory("the source is a directory")
    for _ in range(_ATTEMPTS):
        existing = await _existing(tree, target, is_new=is_new)
        replaces = existing is not None and not may_be_misread(target)
        try:
            await tree.with_parents(target, partial(client.do, build(source, target, replaces=replaces)))
        except ConditionNotMatch as error:
            if is_new:
                raise object_exists(error) from None
            if replaces:
                raise
            await _make_room(client, tree, target, existing)
        except NotFound:
            # Apache deletes the target first, and says this of one that another client has just deleted.
            if await tree.look(source) is None:
                raise
        else:
            await _check_name(tree, target, existing)
            return moved
    if may_be_misread(target):
        raise Unexpected(_MISREAD)
    raise Unexpected("other clients keep making and deleting the target", is_temporary=True)


async def _check_name(tree: Tree, target: str, existing: Resource | None) -> None:
    """Refuses a success of which the server may have misread the target."""
    if may_be_misread(target) and (existing is not None or await tree.look(target) is None):
        raise Unexpected(_MISREAD)


async def _existing(tree: Tree, target: str, *, is_new: bool) -> Resource | None:
    """The file that the request would replace."""
    existing = await tree.look(target)
    if existing is None:
        return None
    if existing.is_directory:
        raise IsADirectory("the target is a directory")
    if is_new:
        raise object_exists(ConditionNotMatch("the target exists"))
    return existing


async def _make_room(client: HttpClient[WebdavDialect], tree: Tree, target: str, existing: Resource | None) -> None:
    """Deletes a target that the server refused to replace, unless it may have refused to replace another one."""
    if existing is None:
        return  # another client has just made one
    if await tree.look(misread(target)) is not None:
        raise Unexpected(_MAY_BE_MISREAD)
    await client.do(client.dialect.delete(target, DEFAULT_DELETE))
