"""Copies within an account: Copy Blob of the Azure Storage REST API Reference.

Azure copies within an account at once, as a rule. It may also respond that the copy is pending, and go on by itself:
its state is then a header of the target, which is requested until the copy has ended. A copy that is given up is
aborted, and leaves a target without content: Azure replaces the old one when the copy starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, NotFound, Unexpected
from entrepot.raw import OpCopy, OpStat
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.transport import HttpHeaders
from entrepot.types import Metadata

from .core import AzblobCore, version_query

FIRST_WAIT: Final = 0.2
"""Seconds until the state of a pending copy is requested first. Each wait is longer than the one before."""

LONGEST_WAIT: Final = 10.0

_STATUS: Final = "x-ms-copy-status"
_ID: Final = "x-ms-copy-id"


class AzblobCopy:
    """The requests that copy one blob.

    Arguments:
        client: sends the requests to the container of the copy.
        source: the client of the container of the source.
        source_key: the key of the source.
        target: the key of the copy.
        args: the version of the source, and the conditions on the target.

    Raises:
        InvalidInput: a key or the metadata cannot be sent.
    """

    __slots__ = ("_args", "_client", "_core", "_look_up", "_request", "_target")

    def __init__(
        self,
        client: HttpClient[AzblobCore],
        source: HttpClient[AzblobCore],
        source_key: str,
        target: str,
        args: OpCopy,
    ) -> None:
        self._client = client
        self._core = client.dialect
        self._target = target
        self._args = args
        url = source.dialect.blob_url(source_key, version_query(args.source_version))
        self._request = self._core.copy(url, target, args)
        head = source.dialect.head(source_key, OpStat(version=args.source_version))
        self._look_up: Callable[[], Awaitable[object]] = partial(source.call, head)

    async def copy(self) -> Metadata:
        """Copies the blob, and waits until it is copied."""
        try:
            headers = await self._client.do(self._request)
        except NotFound as error:
            if self._args.if_match is None or not await self._does_source_exist():
                raise
            raise ConditionNotMatch("if_match does not hold: there is no target", context=error.context) from None
        except Error as error:
            raise self._interpreted(error) from None
        if headers.get(_STATUS) == "pending":
            headers = await self._awaited(headers.get(_ID, ""))
        metadata = self._core.describe(headers)
        return Metadata(etag=metadata.etag, last_modified=metadata.last_modified, version=metadata.version)

    async def _awaited(self, copy_id: str) -> HttpHeaders:
        """The headers of the target when the copy has ended.

        Raises:
            Unexpected: it failed, or another write took its place.
        """
        try:
            return await self._polled(copy_id)
        except BaseException:
            with suppress(Error):  # the copy may have ended by now, and then there is nothing to abort
                await self._client.runtime.shield(partial(self._abort, copy_id))
            raise

    async def _polled(self, copy_id: str) -> HttpHeaders:
        wait = FIRST_WAIT
        while True:
            await self._client.runtime.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
            headers, _ = await self._client.call(self._core.head(self._target, OpStat()))
            status = headers.get(_STATUS)
            if headers.get(_ID) != copy_id:
                raise Unexpected("another write replaced the target while it was copied")
            if status == "success":
                return headers
            if status != "pending":
                raise Unexpected("the storage gave the copy up, and left a target without content")

    async def _abort(self, copy_id: str) -> None:
        query = [("comp", "copy"), ("copyid", copy_id)]
        await self._client.do(self._core.on_blob("PUT", self._target, query, [("x-ms-copy-action", "abort")], b""))

    def _interpreted(self, error: Error) -> Error:
        has_condition = self._args.if_not_exists or self._args.if_match is not None
        if has_condition and leaves_doubt(error):
            return error.add_context(may_have_taken_effect=True)
        if isinstance(error, ConditionNotMatch) and self._args.if_not_exists:
            return object_exists(error)
        return error

    async def _does_source_exist(self) -> bool:
        with suppress(NotFound):
            await self._look_up()
            return True
        return False
