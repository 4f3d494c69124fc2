"""Writes of blobs: by one request, in blocks, or by appends.

Theory of operation. `oio.MultipartWriter` decides between the first two and calls `AzblobUpload`: `store` for Put Blob,
or `initiate`, `upload_part` (Put Block, several at a time, in any order) and `complete` (Put Block List). Azure knows
no uploads: blocks belong to the blob, cannot be read until a list commits them, and are dropped after a week, or by
the next commit. So `initiate` makes up the start of the names of the blocks, and `abort` sends nothing.

- The content headers, the user metadata and the conditions belong to the commit.
- A block that is sent again replaces the first one. A commit that is sent again finds the blocks among the committed
  ones: it succeeds again, unless another writer has replaced the blob, which is an error.
- Of several writers of one blob at the same time, each commit drops the blocks of the others: their commits fail, and
  they must write again. `Publication` knows which error may mean that an earlier attempt had succeeded.

Appends need a blob of another kind, which the first append makes. Each states the position where it must begin, so that
nothing is stored twice and no other writer's content is between.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from entrepot.errors import ConditionNotMatch, NotFound, ObjectExists, Unsupported
from entrepot.raw import OpStat, OpWrite
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import Publication, object_exists
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.xml import escaped
from entrepot.raw.oio import MultipartUpload, Part
from entrepot.types import Metadata
from entrepot.types.records import replace

from .core import BLOB_TYPE, AzblobCore, blob_conditions

MAX_BLOCK: Final = 4000 * 1024**2
"""The most bytes of a block."""

MAX_BLOCKS: Final = 50_000
"""The most blocks of a blob."""

MAX_TOTAL: Final = MAX_BLOCKS * MAX_BLOCK
"""The most bytes of a blob: 190.7 TiB."""

MAX_APPEND: Final = 100 * 1024**2
"""The most bytes of one append."""

_APPEND_BLOB: Final = "AppendBlob"


class AzblobUpload(MultipartUpload):
    """Stores one blob.

    Arguments:
        client: sends the requests.
        key: the key of the blob.
        args: the metadata to store, and the conditions.
        is_unsure: whether an earlier attempt by one request may have stored the blob.

    Raises:
        InvalidInput: the key or the metadata cannot be sent.
    """

    def __init__(self, client: HttpClient[AzblobCore], key: str, args: OpWrite, *, is_unsure: bool = False) -> None:
        self._client = client
        self._core = client.dialect
        self._key = key
        self._args = args
        self._publication = Publication(client, key, args, is_unsure=is_unsure)
        self._is_there = False

    async def store(self, content: bytes) -> Metadata:
        return await self._publication.put(content)

    async def initiate(self) -> str:
        return secrets.token_hex(16)

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        name = block_name(upload, number)
        body = content[0] if len(content) == 1 else tuple(content)
        query = [("comp", "block"), ("blockid", name)]
        request = self._core.on_blob("PUT", self._key, query, self._core.customer_key, body)
        await self._client.store(request)
        return Part(number, name, request.size)

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        headers, _ = await self._publication.call(commit(self._core, self._key, parts, self._args))
        return self._core.describe_stored(headers, sum(part.size for part in parts))

    async def abort(self, upload: str) -> None:
        """Sends nothing: Azure drops the blocks."""

    async def find_end(self) -> int:
        """The size of the blob in bytes, 0 if there is none.

        Raises:
            ObjectExists: `if_not_exists` does not hold.
            Unsupported: nothing can be appended to it.
        """
        try:
            headers, _ = await self._client.call(self._core.head(self._key, OpStat()))
        except NotFound:
            return 0
        if self._args.if_not_exists and not self._is_there:
            raise ObjectExists("if_not_exists does not hold: there is such an object")
        if headers.get(BLOB_TYPE) != _APPEND_BLOB:
            raise Unsupported("the blob was written as a whole: Azure appends only to blobs that an append made")
        self._is_there = True
        return self._core.describe(headers).content_length or 0

    async def append(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Adds content to the end of the blob, which has `offset` bytes."""
        if not self._is_there:
            made = await self._make()
            if not content:
                return made
        if not content:
            headers, _ = await self._client.call(self._core.head(self._key, OpStat()))
            return self._core.describe_stored(headers, offset)
        joined = b"".join(content)
        headers = await self._client.store(append_block(self._core, self._key, offset, joined))
        return self._core.describe_stored(headers, offset + len(joined))

    async def _make(self) -> Metadata:
        """Makes an empty blob to append to. If another writer has just made it, that one is used.

        Raises:
            ObjectExists: `if_not_exists` does not hold.
        """
        try:
            headers = await self._client.do(new_append_blob(self._core, self._key, self._args))
        except ConditionNotMatch as error:
            if self._args.if_not_exists:
                raise object_exists(error) from None
            headers, _ = await self._client.call(self._core.head(self._key, OpStat()))
        self._is_there = True
        return self._core.describe_stored(headers, 0)


def block_name(upload: str, number: int) -> str:
    """The name of a block. All names of the blocks of a blob must have the same length."""
    return b64encode(f"{upload}-{number:05}".encode()).decode()


def commit(core: AzblobCore, key: str, parts: Sequence[Part], args: OpWrite) -> HttpRequest:
    """Put Block List."""
    listed = "".join(f"<Latest>{escaped(part.etag)}</Latest>" for part in parts)
    content = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
    headers = [*core.new_blob(args), *blob_conditions(args)]
    return core.on_blob("PUT", key, [("comp", "blocklist")], headers, content)


def new_append_blob(core: AzblobCore, key: str, args: OpWrite) -> HttpRequest:
    """Put Blob of an empty append blob, unless there is a blob already. Only block blobs have access tiers."""
    plain = replace(core, storage_class=None)
    headers = [(BLOB_TYPE, _APPEND_BLOB), *plain.new_blob(args), ("If-None-Match", "*")]
    return core.on_blob("PUT", key, (), headers, b"")


def append_block(core: AzblobCore, key: str, offset: int, content: bytes) -> HttpRequest:
    """Append Block, at a position which must be the end of the blob."""
    headers = [("x-ms-blob-condition-appendpos", str(offset)), *core.customer_key]
    return core.on_blob("PUT", key, [("comp", "appendblock")], headers, content)


def check_append(args: OpWrite) -> None:
    """Passes if a blob can be appended to with these options.

    Raises:
        Unsupported: it cannot: a tier is only of block blobs, and a condition on the etag would be of one append only.
    """
    if args.storage_class is not None:
        raise Unsupported("a blob that is appended to has no storage_class of its own")
    if args.if_match is not None or args.if_none_match is not None:
        raise Unsupported("an append states the position where it begins, and takes no if_match and if_none_match")
