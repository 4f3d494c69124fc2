"""Deletions from an HTTP object store, one request each, several at a time."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic

from entrepot.errors import ConditionNotMatch, Error, NotFound
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion
from entrepot.raw.oio.windowed import gather
from entrepot.raw.ops import OpDelete
from entrepot.raw.path import build_abs_path
from entrepot.raw.runtime import Window

from .client import D, HttpClient
from .transport import HttpRequest

CONCURRENT: Final = 8
"""How many requests that delete one object each are in flight."""


class HttpDeletions(Generic[D]):
    """Deletes objects below a root. Deleting an object that does not exist succeeds.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_client", "_root")

    def __init__(self, client: HttpClient[D], root: str) -> None:
        self._client = client
        self._root = root

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes one path. The root of the store is not an object, so nothing is deleted for it.

        Raises:
            ConditionNotMatch: `if_match` does not hold, or there is no object.
        """
        key = build_abs_path(self._root, path)
        if not key:
            return
        request = self._client.dialect.delete(key, args)
        if args.if_match is not None:
            await self._delete_conditionally(request, args)
            return
        with suppress(NotFound):
            await self._client.do(request, args)

    async def delete_many(self, deletions: Sequence[Deletion]) -> list[Error]:
        """Deletes many paths and returns the errors of failed ones, each with its path and version."""
        outcomes = list[Error | None]()
        window: Window[Any] = self._client.runtime.window(CONCURRENT)
        await gather((partial(self._failure_of, *deletion) for deletion in deletions), window, outcomes)
        return [outcome for outcome in outcomes if outcome is not None]

    async def _delete_conditionally(self, request: HttpRequest, args: OpDelete) -> None:
        """Deletes an object under a condition. The same request again could not tell that the first one succeeded."""
        try:
            await self._client.do(request, args)
        except NotFound as error:
            raise ConditionNotMatch("if_match does not hold: there is no object", context=error.context) from None
        except Error as error:
            if leaves_doubt(error):
                error.add_context(may_have_taken_effect=True)
            raise

    async def _failure_of(self, path: str, args: OpDelete) -> Error | None:
        try:
            await self.delete_one(path, args)
        except Error as error:
            return of_deletion(error, path, args)
        return None
