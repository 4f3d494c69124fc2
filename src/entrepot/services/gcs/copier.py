"""Copies within and between buckets: Objects: rewrite of the JSON API.

A rewrite of a large object between locations or storage classes takes several requests, each of which goes on where
the one before it ended (`rewriteToken`). The target appears with the last one. A rewrite that states metadata replaces
all of the source's, so the source is looked up first, and the copy is of that generation and metageneration.
"""

from __future__ import annotations

import json
from typing import Any

from entrepot.errors import ConditionNotMatch, Error, Unexpected
from entrepot.raw import OpCopy, OpStat
from entrepot.raw.effects import note_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.url import Query, encode_query
from entrepot.raw.oio.copy.staged import StagedCopier
from entrepot.types import Metadata

from .core import GcsCore, snapshot_conditions, version_query
from .resource import EDITABLE, Resource, describe, new_resource, parse_resource
from .snapshots import look_up, resolved


class Rewrite(StagedCopier):
    """Copies one object.

    Arguments:
        client: sends the requests to the bucket of the copy.
        source_bucket: sends requests to the bucket of the source.
        source: the key of the source.
        target: the key of the copy.
        args: the version of the source, the conditions on the target, and its metadata.
    """

    __slots__ = (
        *("_args", "_client", "_copied", "_is_resolved", "_pinned", "_resource", "_result", "_source"),
        *("_source_bucket", "_target", "_token"),
    )

    def __init__(
        self, client: HttpClient[GcsCore], source_bucket: HttpClient[GcsCore], source: str, target: str, args: OpCopy
    ) -> None:
        super().__init__()
        self._client = client
        self._source_bucket = source_bucket
        self._source = source
        self._target = target
        self._args = args
        self._is_resolved = False
        self._pinned: Query = version_query(args.source_version, "sourceGeneration")
        self._resource: Resource | None = None  # the metadata of the target, where it is not the source's
        self._token: str | None = None
        self._copied = 0
        self._result: Metadata | None = None

    async def _advance(self) -> int | None:
        if self._result is not None:
            return None
        if not self._is_resolved:
            await self._resolve()
        return await self._step()

    async def _publish(self) -> Metadata:
        if self._result is None:
            raise Unexpected("the copy has not ended")
        return self._result

    async def _discard(self) -> None:
        """The storage itself drops a rewrite that does not go on."""

    async def _resolve(self) -> None:
        core, given = self._client.dialect, self._args
        written = new_resource(given.to_write(), None)
        storage_class = given.storage_class or core.default_storage_class
        if written or storage_class is not None:
            found = await look_up(self._source_bucket, self._source, OpStat(version=given.source_version))
            kept = {name: found[name] for name in EDITABLE if name in found}
            self._resource = kept | written | ({} if storage_class is None else {"storageClass": storage_class})
            self._pinned = [
                *version_query(found.get("generation"), "sourceGeneration"),
                ("ifSourceMetagenerationMatch", str(found.get("metageneration"))),
            ]
        self._args = await resolved(self._client, self._target, given)
        self._is_resolved = True

    async def _step(self) -> int:
        try:
            _, content = await self._client.call(self._request())
            return self._take(parse_resource(content))
        except ConditionNotMatch as error:
            raise (object_exists(error) if self._args.if_not_exists else error) from None
        except Error as error:
            if self._args.if_not_exists or self._args.if_match is not None:
                note_doubt(error)
            raise

    def _take(self, response: Resource) -> int:
        if response.get("done"):
            resource: Any = response.get("resource")
            if not isinstance(resource, dict):
                raise Unexpected("the storage states no object at the end of a copy", is_temporary=True)
            self._result = describe(resource)
            copied = self._result.content_length or self._copied
        else:
            token = response.get("rewriteToken")
            if not isinstance(token, str) or not token:
                raise Unexpected("the storage has not ended a copy, and does not state how to go on")
            self._token = token
            copied = parse_length(response.get("totalBytesRewritten")) or self._copied
        newly, self._copied = copied - self._copied, copied
        return max(newly, 0)

    def _request(self) -> HttpRequest:
        core = self._client.dialect
        acl = self._args.acl or core.predefined_acl
        query = [*self._pinned, *snapshot_conditions(self._args)]
        query += [] if acl is None else [("destinationPredefinedAcl", acl)]
        query += [] if self._token is None else [("rewriteToken", self._token)]
        source = self._source_bucket.dialect.object_path(self._source)
        target = core.object_path(self._target).removeprefix("/storage/v1")
        url = f"{core.endpoint}{source}/rewriteTo{target}{encode_query(query)}"
        if self._resource is None:
            return HttpRequest("POST", url, core.every, b"")
        headers = [*core.every, ("Content-Type", "application/json")]
        return HttpRequest("POST", url, headers, json.dumps(self._resource).encode())
