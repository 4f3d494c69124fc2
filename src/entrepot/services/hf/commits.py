"""Commits: how every change of a repository is made. Changes that wait at the same time share one.

Theory of operation. The hub makes one commit of a branch at a time, and refuses one that was prepared for an older
state (412). So one commit of an accessor is in flight on each event loop. A call puts its change into the queue of its
loop and waits for its turn (`lock`). The call whose turn it is takes the changes at the head of the queue that fit in
one commit, its own and those of calls that wait after it, and makes the commit for all of them. A call whose change
was committed by another one is done when its turn comes.

- A change leaves the queue when its outcome is known, or when its caller is cancelled. If the call that commits for
  others is cancelled, their changes are still queued and the next turn commits them, possibly a second time. That
  does no harm: the second commit has the same content.
- Two changes of one path are never in one commit, so that commits have the order of calls.
- A change under a condition is planned for the commit that the branch is at, and is committed alone with that commit as
  its parent. The hub refuses it if the branch has moved on; then it is planned again.
- If the hub refuses a commit of several changes for good, each of them is committed alone, so that only the call
  fails that caused it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, Error, Unexpected
from entrepot.raw.http.client import HttpClient
from entrepot.raw.runtime import Runtime

from .answers import malformed, read_object
from .core import NDJSON, HfDialect

MAX_CHANGES: Final = 100
"""The most operations of one commit."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""The bytes of content after which no further change joins a commit."""

ATTEMPTS: Final = 6
"""How often a commit is tried while others commit to the same branch."""

FIRST_PAUSE: Final = 0.05
"""Seconds before the second attempt. Each further pause is twice as long."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one call changes.

    Arguments:
        operations: the operations of the commit, each a line of its document.
        keys: the paths that it touches.
        summary: the message of a commit of this change alone.
    """

    operations: tuple[bytes, ...]
    keys: frozenset[str]
    summary: str

    @property
    def size(self) -> int:
        """The number of bytes of the operations."""
        return sum(map(len, self.operations))


Plan = Callable[[str], Awaitable[Change | None]]
"""Makes the change for the commit with an id, or None if there is nothing to change. Raises if a condition fails."""


def file_operation(key: str, content: bytes) -> bytes:
    """Stores a file in git."""
    return _line("file", path=key, content=b64encode(content).decode(), encoding="base64")


def lfs_operation(key: str, oid: str, size: int) -> bytes:
    """Stores a file whose content is in Git LFS."""
    return _line("lfsFile", path=key, algo="sha256", oid=oid, size=size)


def delete_operation(key: str) -> bytes:
    """Deletes a file."""
    return _line("deletedFile", path=key)


def delete_folder_operation(key: str) -> bytes:
    """Deletes a directory with all that is in it."""
    return _line("deletedFolder", path=f"{key}/")


@dataclass(eq=False, slots=True)
class _Waiting:
    """A call that waits for its commit."""

    change: Change | None
    plan: Plan | None
    is_done: bool = False
    error: Error | None = None

    def finish(self, error: Error | None = None) -> None:
        self.is_done, self.error = True, error


@dataclass(eq=False, slots=True)
class _Queue:
    """The calls of one event loop that wait."""

    lock: Any
    waiting: list[_Waiting] = field(default_factory=list)


class Commits:
    """Makes the commits of one repository.

    Arguments:
        client: sends the requests.
    """

    __slots__ = ("_client", "_queues")

    def __init__(self, client: HttpClient[HfDialect]) -> None:
        self._client = client
        self._queues = client.runtime.local(partial(_new_queue, client.runtime))

    async def commit(self, change: Change) -> None:
        """Makes a change, possibly together with the changes of other calls.

        Raises:
            Error: it was not made, or the response to its commit was lost.
        """
        await self._wait(_Waiting(change, None))

    async def commit_planned(self, plan: Plan) -> None:
        """Makes the change that is planned for the state that it is applied to.

        Raises:
            Error: as `commit`, or the plan raised it.
        """
        await self._wait(_Waiting(None, plan))

    async def _wait(self, waiting: _Waiting) -> None:
        queue = await self._queues.get()
        queue.waiting.append(waiting)
        try:
            async with queue.lock:
                while not waiting.is_done:
                    await self._commit_first(queue)
        finally:
            if waiting in queue.waiting:
                queue.waiting.remove(waiting)
        if waiting.error is not None:
            raise waiting.error

    async def _commit_first(self, queue: _Queue) -> None:
        """Makes the next commit. The calls that it is for are done afterwards."""
        batch = _fitting(queue.waiting)
        try:
            await self._commit_together(batch)
        except Error as error:
            if len(batch) > 1 and not error.is_temporary:
                await self._commit_each(batch)
            else:
                for waiting in batch:
                    waiting.finish(copy(error))
        else:
            for waiting in batch:
                waiting.finish()
        queue.waiting[:] = [waiting for waiting in queue.waiting if not waiting.is_done]

    async def _commit_each(self, batch: Sequence[_Waiting]) -> None:
        for waiting in batch:
            try:
                await self._commit_together([waiting])
            except Error as error:
                waiting.finish(error)
            else:
                waiting.finish()

    async def _commit_together(self, batch: Sequence[_Waiting]) -> None:
        pause = FIRST_PAUSE
        for left in reversed(range(ATTEMPTS)):
            try:
                await self._attempt(batch)
            except _BranchMoved as moved:
                if not left:
                    raise moved.error from None
            else:
                return
            await self._client.runtime.sleep(pause)
            pause *= 2

    async def _attempt(self, batch: Sequence[_Waiting]) -> None:
        plan = batch[0].plan
        parent = None if plan is None else await self._head()
        planned = [waiting.change for waiting in batch] if plan is None else [await plan(parent or "")]
        changes = [change for change in planned if change is not None]
        if changes:
            await self._send(changes, parent)

    async def _send(self, changes: Sequence[Change], parent: str | None) -> None:
        header = {"summary": _summary(changes), "description": "", **({"parentCommit": parent} if parent else {})}
        lines = [_line("header", **header), *(line for change in changes for line in change.operations)]
        dialect = self._client.dialect
        request = dialect.post(dialect.repository.api("commit"), NDJSON, b"".join(lines))
        try:
            _, content = await self._client.call(request)
        except ConditionNotMatch as error:
            raise _BranchMoved(error) from None
        if not isinstance(read_object(content).get("commitOid"), str):
            raise malformed()

    async def _head(self) -> str:
        _, content = await self._client.call(self._client.dialect.head_commit())
        sha = read_object(content).get("sha")
        if not isinstance(sha, str) or not sha:
            raise malformed()
        return sha


class _BranchMoved(Exception):
    """The branch has moved on since the commit was prepared."""

    def __init__(self, refusal: Error) -> None:
        super().__init__()
        message = "others commit to the branch at the same time"
        self.error = Unexpected(message, is_temporary=True, context=refusal.context)


def _new_queue(runtime: Runtime) -> _Queue:
    return _Queue(runtime.lock())


def _fitting(waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """The calls at the head of the queue whose changes fit in one commit, at least one."""
    batch, keys, count, size = list[_Waiting](), set[str](), 0, 0
    for call in waiting:
        change = call.change
        if change is None:
            return batch or [call]
        count, size = count + len(change.operations), size + change.size
        is_too_large = count > MAX_CHANGES or size > MAX_BYTES
        if batch and (is_too_large or _overlap(change.keys, keys)):
            break
        batch.append(call)
        keys |= change.keys
    return batch


def _overlap(changed: frozenset[str], keys: set[str]) -> bool:
    """Whether two changes are about one path, or about a directory and a path in it."""
    if not keys.isdisjoint(changed):
        return True
    return any(_is_above(key, other) or _is_above(other, key) for key in changed for other in keys)


def _is_above(key: str, other: str) -> bool:
    return other.startswith(f"{key.removesuffix('/')}/") or not key


def _summary(changes: Sequence[Change]) -> str:
    first, others = changes[0].summary, len(changes) - 1
    return first if not others else f"{first} and {others} more change{'s' * (others > 1)}"


def _line(key: str, **value: object) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"
