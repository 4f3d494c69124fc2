"""Deletions: one by one, or many by one batch."""

from collections.abc import Sequence

from entrepot.errors import Error
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.http.deletions import HttpBatchDeletions
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion

from .batch import delete_objects, deletion_failures
from .core import GcsCore
from .errors import is_missing_operation
from .snapshots import resolved


class GcsDeletions(HttpBatchDeletions[GcsCore]):
    """Deletes objects below a root. An emulator may have no batches.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ()

    async def delete_one(self, path: str, args: OpDelete) -> None:
        await super().delete_one(path, await resolved(self._client, build_abs_path(self._root, path), args))

    def _can_join(self, key: str, args: OpDelete) -> bool:
        return args.if_match is None and self._client.dialect.can_delete(key, args.version)

    async def _send(self, objects: Sequence[Deletion]) -> tuple[HttpHeaders, bytes]:
        versions = [(key, args.version) for key, args in objects]
        return await self._client.call(delete_objects(self._client.dialect, versions))

    def _is_missing(self, error: Error) -> bool:
        return is_missing_operation(error)

    async def _failures(self, headers: HttpHeaders, content: bytes, deletions: Sequence[Deletion]) -> list[Error]:
        failed = deletion_failures(self._client.dialect, headers, content, len(deletions))
        return [of_deletion(error, *deletions[index]) for index, error in failed]
