"""The body of a write: collects content, sends it to the hub, and commits."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, ObjectExists
from entrepot.raw import OpStat, OpWrite
from entrepot.raw.conditions import check_conditions
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.oio.write.staged import StagedWriter
from entrepot.types import Metadata

from .answers import TreeEntry, malformed, read_object, stored_metadata
from .commits import Change, file_operation, lfs_operation
from .content import Content
from .core import JSON
from .hub import Hub

SAMPLE: Final = 512
"""The bytes of the start of a file by which the hub chooses where it is stored."""


class HfWriter(StagedWriter):
    """Stores one file.

    Arguments:
        hub: the repository.
        key: the path of the file in it.
        args: the conditions.
        limit: the most bytes.
    """

    __slots__ = ("_args", "_content", "_hub", "_is_unsure", "_key", "_stored")

    def __init__(self, hub: Hub, key: str, args: OpWrite, limit: int) -> None:
        super().__init__()
        self._hub = hub
        self._key = key
        self._args = args
        self._content = Content(hub.client.runtime, limit)
        self._is_unsure = False
        self._stored: Metadata | None = None

    async def _take(self, content: bytes | memoryview) -> None:
        await self._content.append(content)

    async def _publish(self) -> Metadata:
        if self._stored is None:  # a close that is cancelled after the commit must not commit again
            self._stored = await self._store()
        await self._content.close()
        return self._stored

    async def _discard(self) -> None:
        await self._content.close()

    async def _store(self) -> Metadata:
        is_lfs, known = await self._preupload()
        oid, size = await self._content.digest(is_lfs=is_lfs), self._content.size
        metadata = stored_metadata(oid, size, is_lfs=is_lfs)
        if known == oid and not self._is_conditional:
            return metadata
        if is_lfs:
            await self._hub.lfs.upload(self._content, oid, self._args.concurrent)
            operation = lfs_operation(self._key, oid, size)
        else:
            operation = file_operation(self._key, await self._content.read(0, size))
        await self._commit(Change((operation,), frozenset({self._key}), f"Upload {self._key}"))
        return metadata

    async def _preupload(self) -> tuple[bool, str | None]:
        """Whether the file belongs in Git LFS, and the id of its present content, if it exists.

        Raises:
            InvalidInput: the repository ignores files of this name.
        """
        sample = await self._content.read(0, min(SAMPLE, self._content.size))
        file = {"path": self._key, "size": self._content.size, "sample": b64encode(sample).decode()}
        dialect = self._hub.client.dialect
        request = dialect.post(dialect.repository.api("preupload"), JSON, json.dumps({"files": [file]}).encode())
        _, content = await self._hub.client.call(request)
        files = read_object(content).get("files")
        if not isinstance(files, list) or len(files) != 1 or not isinstance(files[0], dict):
            raise malformed()
        if files[0].get("shouldIgnore"):
            raise InvalidInput("the .gitignore of the repository excludes this name")
        mode, oid = files[0].get("uploadMode"), files[0].get("oid")
        if mode not in ("lfs", "regular"):
            raise malformed()
        # Git LFS cannot hold an empty file
        return mode == "lfs" and self._content.size > 0, oid if isinstance(oid, str) else None

    @property
    def _is_conditional(self) -> bool:
        return self._args.if_not_exists or self._args.if_match is not None or self._args.if_none_match is not None

    async def _commit(self, change: Change) -> None:
        if not self._is_conditional:
            await self._hub.commits.commit(change)
            return

        async def plan(revision: str) -> Change:
            check_target(await self._hub.entry(self._key, revision=revision), self._args)
            return change

        was_unsure, self._is_unsure = self._is_unsure, True
        try:
            await self._hub.commits.commit_planned(plan)
        except Error as error:
            self._is_unsure = was_unsure or leaves_doubt(error)
            raise _doubtful(error) if was_unsure and isinstance(error, ConditionNotMatch) else error from None


def check_target(entry: TreeEntry | None, args: OpWrite) -> None:
    """Checks the conditions of a write against the present entry.

    Raises:
        ConditionNotMatch: one does not hold.
    """
    if entry is None:
        if args.if_match is not None:
            raise ConditionNotMatch("if_match does not hold: there is no such object")
        return
    if args.if_not_exists:
        raise ObjectExists("if_not_exists does not hold: there is such an object")
    check_conditions(entry.metadata(), OpStat(if_match=args.if_match, if_none_match=args.if_none_match))


def _doubtful(error: ConditionNotMatch) -> ConditionNotMatch:
    doubt = "a condition no longer holds; an earlier attempt, whose response was lost, may have stored this"
    return type(error)(doubt, context=error.context)
