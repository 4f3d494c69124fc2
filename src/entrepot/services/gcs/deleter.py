"""Deletions: one by one, or many by one batch.

An emulator may have no batches. The first response shows it, which is remembered for as long as the accessor lives.
"""

from collections.abc import Sequence

from entrepot.errors import Error
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.deletions import HttpDeletions
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion

from .batch import delete_objects, deletion_failures
from .core import GcsCore
from .errors import is_missing_operation
from .snapshots import resolved


class GcsDeletions(HttpDeletions[GcsCore]):
    """Deletes objects below a root.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_has_batch",)

    def __init__(self, client: HttpClient[GcsCore], root: str) -> None:
        super().__init__(client, root)
        self._has_batch = True

    async def delete_one(self, path: str, args: OpDelete) -> None:
        await super().delete_one(path, await resolved(self._client, build_abs_path(self._root, path), args))

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
            headers, content = await self._client.call(delete_objects(self._client.dialect, objects))
        except Error as error:
            if not is_missing_operation(error):
                raise
            self._has_batch = False
            return await super().delete_many(deletions)
        failures = deletion_failures(self._client.dialect, headers, content, len(objects))
        return [of_deletion(error, *deletions[index]) for index, error in failures]

    def _can_join(self, deletion: Deletion) -> bool:
        path, args = deletion
        if not self._has_batch or args.if_match is not None:
            return False
        return self._client.dialect.can_delete(build_abs_path(self._root, path), args.version)
