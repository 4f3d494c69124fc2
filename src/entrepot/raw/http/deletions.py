"""Deletions from an HTTP object store: one by one, several at a time, or many by one request."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic

from entrepot.errors import ConditionNotMatch, Error, NotFound
from entrepot.raw.effects import note_doubt
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion
from entrepot.raw.oio.windowed import gather
from entrepot.raw.ops import OpDelete
from entrepot.raw.path import build_abs_path
from entrepot.raw.runtime import Window

from .client import D, HttpClient
from .transport import HttpHeaders, HttpRequest

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
        return await self._delete_each(deletions)

    async def _delete_each(self, deletions: Sequence[Deletion]) -> list[Error]:
        """The same by one request each."""
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
            note_doubt(error)
            raise

    async def _failure_of(self, path: str, args: OpDelete) -> Error | None:
        try:
            await self.delete_one(path, args)
        except Error as error:
            return of_deletion(error, path, args)
        return None


class HttpBatchDeletions(HttpDeletions[D], ABC):
    """Deletes objects of a store that can delete many by one request.

    A server of its protocol may not have that operation. The first response shows it, which is remembered for as long
    as the accessor lives: it has one instance.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_has_batch",)

    def __init__(self, client: HttpClient[D], root: str) -> None:
        super().__init__(client, root)
        self._has_batch = True

    async def delete_many(self, deletions: Sequence[Deletion]) -> list[Error]:
        """Deletes many paths, by one request where possible, and returns the errors of failed ones."""
        joint, alone = list[Deletion](), list[Deletion]()
        for path, args in deletions:
            can_join = self._has_batch and self._can_join(build_abs_path(self._root, path), args)
            (joint if can_join else alone).append((path, args))
        failures = await self._delete_jointly(joint) if joint else []
        return [*failures, *await self._delete_each(alone)]

    async def _delete_jointly(self, deletions: Sequence[Deletion]) -> list[Error]:
        objects = [(build_abs_path(self._root, path), args) for path, args in deletions]
        try:
            headers, content = await self._send(objects)
        except Error as error:
            if not self._is_missing(error):
                raise
            self._has_batch = False
            return await self._delete_each(deletions)
        return await self._failures(headers, content, deletions)

    @abstractmethod
    def _can_join(self, key: str, args: OpDelete) -> bool:
        """Whether a deletion can be one of many. The others are made one by one."""

    @abstractmethod
    async def _send(self, objects: Sequence[Deletion]) -> tuple[HttpHeaders, bytes]:
        """Sends the request that deletes many objects: the key of each, and the arguments."""

    @abstractmethod
    def _is_missing(self, error: Error) -> bool:
        """Whether an error of that request says that the server does not have the operation."""

    @abstractmethod
    async def _failures(self, headers: HttpHeaders, content: bytes, deletions: Sequence[Deletion]) -> list[Error]:
        """The errors of the deletions that failed, as a successful response states them.

        Raises:
            Error: it does not state what became of each.
        """
