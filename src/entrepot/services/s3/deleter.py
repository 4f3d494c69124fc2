"""Deletions: one by one, or many by one request.

Servers differ in what they take of DeleteObjects. Some refuse the checksum header that others require, and some do not
have the operation. Which is which shows in the first response, and is remembered: a store is asked once.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion
from entrepot.raw.oio.windowed import gather
from entrepot.raw.runtime import Window

from .client import S3Client
from .core import is_key
from .deletion import Doomed, can_join, delete_objects, deletion_failures
from .errors import error_of_version, is_missing_operation, may_be_of_a_header

CONCURRENT: Final = 8
"""How many requests that delete one object each are in flight."""


class S3Deletions:
    """Deletes below a root. What is not there is no error.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_client", "_has_batch", "_root", "_takes_checksum")

    def __init__(self, client: S3Client, root: str) -> None:
        self._client = client
        self._root = root
        self._has_batch = True
        self._takes_checksum = True

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes one path. The root of a bucket is no object, so there is nothing to delete at it."""
        key = build_abs_path(self._root, path)
        if not key:
            return
        try:
            await self._client.do(self._client.core.delete(key, args.version))
        except NotFound:
            return
        except Unexpected as error:
            raise error_of_version(error, args.version) from None

    async def delete_many(self, deletions: Sequence[Deletion]) -> list[Error]:
        """Deletes many paths, and returns the errors of those that failed: all that can go together go together."""
        joint, alone = list[Deletion](), list[Deletion]()
        for deletion in deletions:
            (joint if self._can_join(deletion) else alone).append(deletion)
        failures = await self._delete_jointly(joint) if joint else []
        return [*failures, *await self._delete_one_by_one(alone)]

    async def _delete_one_by_one(self, deletions: Sequence[Deletion]) -> list[Error]:
        outcomes = list[Error | None]()
        window: Window[Any] = self._client.runtime.window(CONCURRENT)
        await gather((partial(self._failure_of, *deletion) for deletion in deletions), window, outcomes)
        return [outcome for outcome in outcomes if outcome is not None]

    async def _failure_of(self, path: str, args: OpDelete) -> Error | None:
        try:
            await self.delete_one(path, args)
        except Error as error:
            return of_deletion(error, path, args)
        return None

    async def _delete_jointly(self, deletions: Sequence[Deletion]) -> list[Error]:
        doomed = [(build_abs_path(self._root, path), args.version) for path, args in deletions]
        try:
            headers, content = await self._send(doomed)
        except Error as error:
            if not is_missing_operation(error):
                raise
            self._has_batch = False
            return await self._delete_one_by_one(deletions)
        failures = deletion_failures(self._client.core, headers, content, doomed)
        return [_of_version(error, *deletions[index]) for index, error in failures]

    async def _send(self, doomed: Sequence[Doomed]) -> tuple[HttpHeaders, bytes]:
        """Sends DeleteObjects with both digests, and without the checksum header where that may be what is refused."""
        core = self._client.core
        if self._takes_checksum:
            try:
                return await self._client.call(delete_objects(core, doomed))
            except Error as error:
                if not may_be_of_a_header(error):
                    raise
        response = await self._client.call(delete_objects(core, doomed, has_checksum=False))
        self._takes_checksum = False
        return response

    def _can_join(self, deletion: Deletion) -> bool:
        path, args = deletion
        key = build_abs_path(self._root, path)
        return self._has_batch and is_key(key) and can_join(key, args.version)


def _of_version(error: Error, path: str, args: OpDelete) -> Error:
    return of_deletion(error_of_version(error, args.version), path, args)
