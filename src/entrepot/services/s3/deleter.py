"""Deletions: one by one, or many by one request.

Servers differ in DeleteObjects: some refuse the checksum header that others require. The first response shows which,
and it is remembered for as long as the accessor lives.
"""

from collections.abc import Sequence

from entrepot.errors import Error
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.deletions import HttpBatchDeletions
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.url import is_key
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion

from .core import MAX_KEY_BYTES, S3Core
from .deletion import KeyVersion, can_join, delete_objects, deletion_failures
from .errors import error_of_version, is_missing_operation, may_be_of_a_header


class S3Deletions(HttpBatchDeletions[S3Core]):
    """Deletes objects below a root.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_takes_checksum",)

    def __init__(self, client: HttpClient[S3Core], root: str) -> None:
        super().__init__(client, root)
        self._takes_checksum = True

    def _can_join(self, key: str, args: OpDelete) -> bool:
        if args.if_match is not None:  # servers differ in conditions of DeleteObjects
            return False
        return is_key(key, MAX_KEY_BYTES) and can_join(key, args.version)

    async def _send(self, objects: Sequence[Deletion]) -> tuple[HttpHeaders, bytes]:
        """Sends DeleteObjects with both digests, and without the checksum header where the server may refuse that."""
        core, versions = self._client.dialect, _versions(objects)
        if self._takes_checksum:
            try:
                return await self._client.call(delete_objects(core, versions))
            except Error as error:
                if not may_be_of_a_header(error):
                    raise
        response = await self._client.call(delete_objects(core, versions, has_checksum=False))
        self._takes_checksum = False
        return response

    def _is_missing(self, error: Error) -> bool:
        return is_missing_operation(error)

    async def _failures(self, headers: HttpHeaders, content: bytes, deletions: Sequence[Deletion]) -> list[Error]:
        versions = _versions([(build_abs_path(self._root, path), args) for path, args in deletions])
        failed = deletion_failures(self._client.dialect, headers, content, versions)
        return [_of_version(error, *deletions[index]) for index, error in failed]


def _versions(objects: Sequence[Deletion]) -> list[KeyVersion]:
    return [(key, args.version) for key, args in objects]


def _of_version(error: Error, path: str, args: OpDelete) -> Error:
    return of_deletion(error_of_version(error, args.version), path, args)
