"""Deletions: one by one, or many by one request.

Servers differ in DeleteObjects. Some refuse the checksum header that others require, and some do not have the
operation. The first response shows which, and it is remembered for as long as the accessor lives.
"""

from collections.abc import Sequence

from entrepot.errors import Error
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.deletions import HttpDeletions
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.url import is_key
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion

from .core import MAX_KEY_BYTES, S3Core
from .deletion import KeyVersion, can_join, delete_objects, deletion_failures
from .errors import error_of_version, is_missing_operation, may_be_of_a_header


class S3Deletions(HttpDeletions[S3Core]):
    """Deletes objects below a root.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_has_batch", "_takes_checksum")

    def __init__(self, client: HttpClient[S3Core], root: str) -> None:
        super().__init__(client, root)
        self._has_batch = True
        self._takes_checksum = True

    async def delete_many(self, deletions: Sequence[Deletion]) -> list[Error]:
        """Deletes many paths, by one request where possible, and returns the errors of failed ones."""
        joint, alone = list[Deletion](), list[Deletion]()
        for deletion in deletions:
            (joint if self._can_join(deletion) else alone).append(deletion)
        failures = await self._delete_jointly(joint) if joint else []
        return [*failures, *await super().delete_many(alone)]

    async def _delete_jointly(self, deletions: Sequence[Deletion]) -> list[Error]:
        objects = [(build_abs_path(self._root, path), args.version) for path, args in deletions]
        try:
            headers, content = await self._send(objects)
        except Error as error:
            if not is_missing_operation(error):
                raise
            self._has_batch = False
            return await super().delete_many(deletions)
        failures = deletion_failures(self._client.dialect, headers, content, objects)
        return [_of_version(error, *deletions[index]) for index, error in failures]

    async def _send(self, objects: Sequence[KeyVersion]) -> tuple[HttpHeaders, bytes]:
        """Sends DeleteObjects with both digests, and without the checksum header where the server may refuse that."""
        core = self._client.dialect
        if self._takes_checksum:
            try:
                return await self._client.call(delete_objects(core, objects))
            except Error as error:
                if not may_be_of_a_header(error):
                    raise
        response = await self._client.call(delete_objects(core, objects, has_checksum=False))
        self._takes_checksum = False
        return response

    def _can_join(self, deletion: Deletion) -> bool:
        path, args = deletion
        key = build_abs_path(self._root, path)
        if args.if_match is not None:  # servers differ in conditions of DeleteObjects
            return False
        return self._has_batch and is_key(key, MAX_KEY_BYTES) and can_join(key, args.version)


def _of_version(error: Error, path: str, args: OpDelete) -> Error:
    return of_deletion(error_of_version(error, args.version), path, args)
