"""Writes a file so that it appears when its content is complete.

Theory of operation. Many servers overwrite a file while its content arrives, so a PUT that breaks off leaves half a
file, and readers see it grow. So the content is sent to a temporary name beside the target, and a MOVE gives it the
target's name. What is known of the target decides how:

- The target is looked for first. A directory is refused: a MOVE would delete it with its contents.
- If there is no file, the MOVE must not replace one (`Overwrite: F`), so that a file or directory that another client
  made in the meantime stays, as far as the server looks and moves in one step. Without `if_not_exists` the target is
  then looked for again.
- With `if_match` the MOVE has the etag of the target in the header `If` (RFC 4918, 10.4).

If the response to a MOVE is lost, the next attempt looks for the temporary file first: no other client knows its name,
so if it is gone the MOVE was made. An attempt that failed for good, and `discard`, delete the temporary file.

Where the server publishes the content of a PUT in one step anyway, as Apache, nginx and Nextcloud do, `is_direct` saves
two requests. A name with `?`, `;` or a tab, which WsgiDAV misreads in the header Destination, is written by a PUT too.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, IsADirectory, NotFound, Unexpected
from entrepot.raw.conditions import check_conditions
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import Publication, object_exists
from entrepot.raw.oio.write.byte_queue import ByteQueue
from entrepot.raw.oio.write.staged import StagedWriter, with_length
from entrepot.raw.ops import DEFAULT_DELETE, DEFAULT_WRITE, OpStat, OpWrite
from entrepot.raw.path import get_parent
from entrepot.raw.temporary_names import new_temporary_name
from entrepot.types import Metadata

from .core import WebdavDialect, check_user_metadata, properties_refused
from .multistatus import MULTI_STATUS, read_multistatus
from .names import check_may_be_made, may_be_misread
from .resource import Resource
from .tree import Tree

_DELAYS: Final = (0.05, 0.2, 0.8)
"""Seconds between the attempts to delete a temporary file whose PUT broke off. The server may make the file only then,
and lock it (423) until it has noticed that the connection is gone. WsgiDAV makes it empty and then opens it for the
content, so a DELETE in between succeeds and leaves the file: each is followed by another one."""

_ATTEMPTS: Final = 8
"""How often a target that other clients make and delete at the same time is looked for."""


class FileWriter(StagedWriter):
    """Collects the content in memory and publishes it on close.

    Arguments:
        publication: publishes it.
    """

    __slots__ = ("_content", "_publication")

    def __init__(self, publication: FilePublication) -> None:
        super().__init__()
        self._publication = publication
        self._content = ByteQueue()

    async def _take(self, content: bytes | memoryview) -> None:
        self._content.append(content)

    async def _publish(self) -> Metadata:
        metadata = await self._publication.put(self._content.join())
        length = self._content.size
        self._content.clear()
        return with_length(metadata, length)

    async def _discard(self) -> None:
        self._content.clear()
        await self._publication.discard()


class FilePublication:
    """Publishes one file. A failed call of `put` may be repeated.

    Arguments:
        client: sends the requests.
        tree: finds the target and makes the directories above it.
        key: the key of the target.
        args: the conditions and the user metadata.
        is_direct: whether the content is sent to the target itself.

    Raises:
        InvalidInput: the key or the user metadata cannot be stored.
    """

    __slots__ = (
        *("_args", "_client", "_direct", "_is_moving", "_is_stored", "_key", "_may_arrive", "_may_exist"),
        *("_temporary", "_tree"),
    )

    def __init__(
        self, client: HttpClient[WebdavDialect], tree: Tree, key: str, args: OpWrite, *, is_direct: bool
    ) -> None:
        check_may_be_made(key)
        check_user_metadata(args.user_metadata or {})
        self._client = client
        self._tree = tree
        self._key = key
        self._args = args
        needs_temporary = args.if_not_exists or args.if_match is not None or bool(args.user_metadata)
        is_direct = may_be_misread(key) or (is_direct and not needs_temporary)
        self._direct = Publication(client, key, args) if is_direct else None
        self._temporary = f"{'' if '/' not in key else get_parent(key)}{new_temporary_name()}"
        self._may_exist = False  # whether the temporary file may have to be deleted
        self._may_arrive = False  # whether the server may still be at work on a PUT of it that broke off
        self._is_stored = False  # whether it has the whole content
        self._is_moving = False  # whether it may have been moved

    async def put(self, content: bytes) -> Metadata:
        """Stores the content under the name of the target.

        Raises:
            IsADirectory: the target is a directory.
            ConditionNotMatch: a condition does not hold.
        """
        if self._direct is not None:
            metadata = await self._tree.with_parents(self._key, partial(self._direct.put, content))
            await self._set_user_metadata(self._key)
            return metadata
        try:
            if not (self._is_moving and await self._was_moved(len(content))):
                await self._put_and_move(content)
        except Error as error:
            if not error.is_temporary:
                with suppress(Error):  # the error of the write counts; `discard` is called once more at the end
                    await self.discard()
            raise
        self._may_exist = self._is_moving = False
        return Metadata(content_length=len(content))

    async def discard(self) -> None:
        """Deletes the temporary file, if there may be one."""
        if not self._may_exist:
            return
        if self._may_arrive:
            await self._delete_as_it_arrives()
        with suppress(NotFound):
            await self._delete_temporary()
        self._may_exist = self._may_arrive = False

    async def _delete_as_it_arrives(self) -> None:
        """Deletes the temporary file, and returns some time later: the PUT may make it a second time in between."""
        for delay in _DELAYS:
            is_deleted = False
            with suppress(NotFound, Unexpected):
                await self._delete_temporary()
                is_deleted = True
            await self._client.runtime.sleep(delay)
            if is_deleted:
                return

    async def _delete_temporary(self) -> None:
        await self._client.do(self._client.dialect.delete(self._temporary, DEFAULT_DELETE))

    async def _put_and_move(self, content: bytes) -> None:
        for _ in range(_ATTEMPTS):
            target = await self._checked_target()
            if not self._is_stored:
                await self._send(content)
            try:
                await self._move(target)
            except ConditionNotMatch as error:
                if self._args.if_not_exists:
                    raise object_exists(error) from None
                if self._args.if_match is not None or target is not None:
                    raise
            except NotFound:
                # Apache deletes the target first, and says this of one that another client has just deleted.
                if await self._tree.look(self._temporary) is None:
                    raise
            else:
                return
        raise Unexpected("other clients keep making and deleting the file", is_temporary=True)

    async def _checked_target(self) -> Resource | None:
        target = await self._tree.look(self._key)
        if target is not None and target.is_directory:
            raise IsADirectory("a directory has this name")
        if self._args.if_not_exists and target is not None:
            raise object_exists(ConditionNotMatch("the file exists"))
        if self._args.if_match is not None:
            if target is None:
                raise ConditionNotMatch("if_match does not hold: there is no object")
            check_conditions(target.metadata(), OpStat(if_match=self._args.if_match))
        return target

    async def _send(self, content: bytes) -> None:
        request = self._client.dialect.put(self._temporary, content, DEFAULT_WRITE)
        may_arrive = self._may_arrive
        self._may_exist = self._may_arrive = True
        try:
            await self._tree.with_parents(self._temporary, partial(self._client.store, request))
        except Error as error:
            self._may_arrive = may_arrive or leaves_doubt(error)
            raise
        self._may_arrive = False
        await self._set_user_metadata(self._temporary)
        self._is_stored = True

    async def _move(self, target: Resource | None) -> None:
        request = self._client.dialect.move(
            self._temporary, self._key, replaces=target is not None, if_match=self._args.if_match
        )
        self._is_moving = True
        try:
            await self._client.do(request)
        except Error as error:
            self._is_moving = leaves_doubt(error)
            raise

    async def _was_moved(self, size: int) -> bool:
        """Whether an earlier MOVE, whose response was lost, was made."""
        self._is_moving = False
        if await self._tree.look(self._temporary) is not None:
            return False
        self._may_exist = self._is_stored = False
        target = await self._tree.look(self._key)
        return target is not None and target.length == size

    async def _set_user_metadata(self, key: str) -> None:
        if not self._args.user_metadata:
            return
        try:
            response = await self._client.respond(self._client.dialect.set_user_metadata(key, self._args.user_metadata))
        except Error as error:
            if error.is_temporary:
                raise
            raise properties_refused(error.context.get("status", 0)) from None
        try:
            if response.status == MULTI_STATUS:
                for resource in await read_multistatus(response.body):
                    for status in (resource.status, *resource.refused):
                        if status >= 300:
                            raise properties_refused(status)
        finally:
            await response.body.close()
