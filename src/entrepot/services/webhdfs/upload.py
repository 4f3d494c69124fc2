"""Writes a file so that it appears when its content is complete.

Theory of operation. A file of HDFS is seen while its content arrives. So the content goes to temporary files beside the
target: to one by one CREATE, or a part to each, several at a time, and CONCAT joins them. RENAME then gives the result
the name of the target, in one step that replaces an old file (`renameoptions=OVERWRITE`) or refuses one (`NONE`).
HttpFS ignores that option and never replaces: there the old file is deleted first, and readers may meet the gap.

Each call may be repeated. A CREATE replaces its temporary file. CONCAT and RENAME whose response was lost are looked
into first: only this upload knows the names, so the length of the first part, or a temporary file that is gone while
the target has the length, say that they were made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, IsADirectory, NotFound, Unexpected
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.transport import Content
from entrepot.raw.oio import MultipartUpload, Part
from entrepot.raw.ops import OpWrite
from entrepot.raw.path import get_parent
from entrepot.raw.temporary_names import PREFIX, deleted_meanwhile
from entrepot.types import Metadata

from .cluster import Cluster, is_same_length

_ATTEMPTS: Final = 8
"""How often HttpFS is asked for a RENAME to a name that other clients make at the same time."""


class WebhdfsUpload(MultipartUpload):
    """The upload of one file.

    Arguments:
        cluster: makes the calls.
        target: the path of the file.
        args: the conditions.
    """

    __slots__ = ("_args", "_cluster", "_concatenated", "_id", "_numbers", "_publishing", "_target")

    def __init__(self, cluster: Cluster, target: str, args: OpWrite) -> None:
        self._cluster = cluster
        self._target = target
        self._args = args
        self._id = os.urandom(6).hex()
        self._numbers: set[int] = set()
        self._publishing = False
        self._concatenated = False

    def _temporary(self, number: int) -> str:
        return f"{get_parent(self._target)}{PREFIX}{self._id}{number:04x}.tmp"

    async def store(self, content: bytes) -> Metadata:
        if not (self._publishing and await self._was_renamed(len(content))):
            try:
                if 0 not in self._numbers:
                    await self._check_target()
                await self._create(0, content)
                await self._publish(0, has_content=True)
            except Error as error:
                if not error.is_temporary:
                    await self.abort(self._id)
                raise
        self._numbers.clear()
        return Metadata(content_length=len(content))

    async def initiate(self) -> str:
        await self._check_target()
        return self._id

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        await self._create(number, tuple(content))
        return Part(number, "", sum(len(piece) for piece in content))

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        size = sum(part.size for part in parts)
        first = parts[0].number
        if not (self._publishing and await self._was_renamed(size)):
            await self._concat(first, [part.number for part in parts[1:]], size)
            await self._publish(first, has_content=False)
        self._numbers.clear()
        return Metadata(content_length=size)

    async def abort(self, upload: str) -> None:
        for number in sorted(self._numbers):
            await self._cluster.ask(self._cluster.dialect.remove(self._temporary(number), recursive=False))
            self._numbers.discard(number)

    async def _create(self, number: int, content: Content) -> None:
        self._numbers.add(number)
        await self._cluster.send(self._cluster.dialect.create(self._temporary(number)), content)

    async def _concat(self, first: int, others: Sequence[int], size: int) -> None:
        target = self._temporary(first)
        if not others or (self._concatenated and is_same_length(await self._cluster.look(target), size)):
            return
        self._concatenated = True
        try:
            await self._cluster.call(
                self._cluster.dialect.concat(target, [self._temporary(number) for number in others])
            )
        except NotFound as error:
            raise deleted_meanwhile(error, has_content=False) from None

    async def _check_target(self) -> bool:
        """Whether there is a file to replace."""
        existing = await self._cluster.look(self._target)
        if existing is not None and existing.is_directory:
            raise IsADirectory("a directory has this name")
        if existing is not None and self._args.if_not_exists:
            raise object_exists(ConditionNotMatch("the file exists"))
        return existing is not None

    async def _publish(self, number: int, *, has_content: bool) -> None:
        self._publishing = True
        source, replaces = self._temporary(number), not self._args.if_not_exists
        try:
            await rename(self._cluster, source, self._target, replaces=replaces)
        except NotFound as error:
            self._publishing = False
            raise deleted_meanwhile(error, has_content=has_content) from None
        except Error as error:
            self._publishing = leaves_doubt(error)
            raise
        self._publishing = False

    async def _was_renamed(self, size: int) -> bool:
        """Whether an earlier RENAME, whose response was lost, was made."""
        self._publishing = False
        temporary = self._temporary(min(self._numbers))
        if await self._cluster.look(temporary) is not None:
            return False
        if is_same_length(await self._cluster.look(self._target), size):
            return True
        raise Unexpected("the content disappeared while it was given its name")


async def rename(cluster: Cluster, source: str, target: str, *, replaces: bool) -> None:
    """Gives a file another name, in the directory that exists.

    Arguments:
        cluster: makes the calls.
        source: the file.
        target: its new name.
        replaces: whether a file with that name is replaced.

    Raises:
        ObjectExists: there is such a file, and it is not replaced.
        IsADirectory: there is such a directory.
        NotFound: there is no source, or no directory for the target.
    """
    request = cluster.dialect.rename(source, target, replaces=replaces)
    for _ in range(_ATTEMPTS):
        try:
            is_made = await cluster.ask(request)
        except ConditionNotMatch as error:
            raise await _reason(cluster, target, error) from None
        if is_made:
            return
        existing = await cluster.look(target)  # the server is HttpFS, which does not say why
        if existing is not None and (existing.is_directory or not replaces):
            raise await _reason(cluster, target, ConditionNotMatch("the target exists"))
        if existing is not None:
            await cluster.ask(cluster.dialect.remove(target, recursive=False))
        elif await cluster.look(source) is None or await cluster.look(get_parent(target)) is None:
            raise NotFound("there is no such file, or no directory for the target")
    raise Unexpected("other clients keep making the target", is_temporary=True)


async def _reason(cluster: Cluster, target: str, error: ConditionNotMatch) -> Error:
    existing = await cluster.look(target)
    if existing is not None and existing.is_directory:
        return IsADirectory("the target is a directory")
    return object_exists(error)
