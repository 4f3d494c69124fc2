"""Deletions: one by one, or many by one request."""

from collections.abc import Sequence

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw import OpDelete, build_abs_path
from entrepot.raw.oio.deletions import Deletion, of_deletion

from .client import S3Client
from .core import is_key
from .deletion import can_join, delete_objects, deletion_failures
from .errors import error_of_version


class S3Deletions:
    """Deletes below a root. What is not there is no error.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_client", "_root")

    def __init__(self, client: S3Client, root: str) -> None:
        self._client = client
        self._root = root

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes one path. The root of a bucket is no object, so there is nothing to delete at it."""
        key = build_abs_path(self._root, path)
        if not key:
            return
        try:
            await self._client.call(self._client.core.delete(key, args.version))
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
        for path, args in alone:
            try:
                await self.delete_one(path, args)
            except Error as error:
                failures.append(of_deletion(error, path, args))
        return failures

    async def _delete_jointly(self, deletions: Sequence[Deletion]) -> list[Error]:
        core = self._client.core
        doomed = [(build_abs_path(self._root, path), args.version) for path, args in deletions]
        headers, content = await self._client.call(delete_objects(core, doomed))
        failures = deletion_failures(core, headers, content, doomed)
        return [_of_version(error, *deletions[index]) for index, error in failures]

    def _can_join(self, deletion: Deletion) -> bool:
        path, args = deletion
        key = build_abs_path(self._root, path)
        return is_key(key) and can_join(key, args.version)


def _of_version(error: Error, path: str, args: OpDelete) -> Error:
    return of_deletion(error_of_version(error, args.version), path, args)
