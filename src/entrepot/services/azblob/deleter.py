"""Deletions of many blobs by one request: Blob Batch of the Azure Storage REST API Reference.

Each part of the request is a request of its own, with its own date and signature. A part that is refused for its
credentials is sent once more, alone, where old credentials are replaced.

Azure refuses to delete the current version of a blob by its name (`OperationNotAllowedOnRootBlob`). The blob is then
deleted first, if it is still of that version, which makes it an older one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import ConfigInvalid, Error, NotFound, PermissionDenied, Unexpected
from entrepot.raw import OpDelete, OpStat, build_abs_path
from entrepot.raw.http.deletions import HttpBatchDeletions
from entrepot.raw.http.error_table import plain_name
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion
from entrepot.signing.azure_errors import check_origin
from entrepot.signing.azure_names import check_key

from .core import AzblobCore
from .errors import code_error

MAX_DELETIONS: Final = 256
"""The most blobs that one request deletes."""

_LEFT_OUT: Final = frozenset({"host", "x-ms-version"})
_PART: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_ID: Final = re.compile(rb"(?im)^content-id:\s*([0-9]{1,5})\s*$")
_CODE: Final = re.compile(rb"(?im)^x-ms-error-code:\s*([A-Za-z0-9]{1,60})\s*$")
_CURRENT: Final = "OperationNotAllowedOnRootBlob"
_MISSING: Final = frozenset({400, 404, 405, 501})
"""The statuses of a server that has no batches."""


class AzblobDeletions(HttpBatchDeletions[AzblobCore]):
    """Deletes blobs below a root.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ()

    async def delete_one(self, path: str, args: OpDelete) -> None:
        try:
            await super().delete_one(path, args)
        except PermissionDenied as error:
            if args.version is None or error.context.get("code") != _CURRENT:
                raise
            await self._delete_current(path, args.version)

    async def _delete_current(self, path: str, version: str) -> None:
        """Deletes the version that is current.

        Raises:
            ConditionNotMatch: it is not current any more: the same call deletes it now.
        """
        head = self._client.dialect.head(build_abs_path(self._root, path), OpStat(version=version))
        headers, _ = await self._client.call(head)
        await super().delete_one(path, OpDelete(if_match=self._client.dialect.describe(headers).etag))
        await super().delete_one(path, OpDelete(version=version))

    async def _delete_jointly(self, deletions: Sequence[Deletion]) -> list[Error]:
        return await (super()._delete_jointly(deletions) if len(deletions) > 1 else self._delete_each(deletions))

    def _can_join(self, key: str, args: OpDelete) -> bool:
        return bool(key) and args.if_match is None and _is_key(key)

    async def _send(self, objects: Sequence[Deletion]) -> tuple[HttpHeaders, bytes]:
        core = self._client.dialect
        signed = [await self._client.sign(without_version(core.delete(key, args))) for key, args in objects]
        return await self._client.call(batch(core, signed))

    def _is_missing(self, error: Error) -> bool:
        is_missing = error.context.get("status") in _MISSING and not isinstance(error, ConfigInvalid)
        return is_missing and not error.is_temporary

    async def _failures(self, headers: HttpHeaders, content: bytes, deletions: Sequence[Deletion]) -> list[Error]:
        outcomes = batch_outcomes(headers, content, len(deletions))
        again = [deletions[index] for index, error in outcomes.items() if isinstance(error, PermissionDenied)]
        failures = [
            of_deletion(error, *deletions[index])
            for index, error in outcomes.items()
            if error is not None and not isinstance(error, PermissionDenied)
        ]
        return [*failures, *await self._delete_each(again)]


def batch(core: AzblobCore, requests: Sequence[HttpRequest]) -> HttpRequest:
    """Blob Batch.

    Arguments:
        core: the container.
        requests: the deletions, with their credentials.
    """
    boundary = f"batch_{secrets.token_hex(16)}"
    parts = [_part(boundary, number, request) for number, request in enumerate(requests)]
    content = "".join([*parts, f"--{boundary}--\r\n"]).encode()
    headers = [("Content-Type", f"multipart/mixed; boundary={boundary}")]
    return core.on_container("POST", [("comp", "batch")], headers, content)


def batch_outcomes(headers: HttpHeaders, content: bytes, count: int) -> dict[int, Error | None]:
    """The error of each deletion, by its index in the request; None if it succeeded, or there was no blob.

    Raises:
        Unexpected: the response does not state it for each. Temporary: deleting twice does no harm.
    """
    check_origin(headers)
    boundary = headers.get("content-type", "").partition("boundary=")[2].strip().strip('"').encode("ascii", "replace")
    parts = content.split(b"--" + boundary)[1:-1] if boundary else []
    outcomes = dict[int, Error | None]()
    for place, part in enumerate(parts):
        status, stated = _PART.search(part), _ID.search(part)
        if status is not None:
            code = _CODE.search(part)
            index = place if stated is None else int(stated[1])
            outcomes[index] = _failure(int(status[1]), None if code is None else code[1].decode())
    if sorted(outcomes) != list(range(count)):
        raise Unexpected("the storage does not state which blobs of a batch it deleted", is_temporary=True)
    return outcomes


def _failure(status: int, code: str | None) -> Error | None:
    if 200 <= status < 300:
        return None
    error = code_error(status, plain_name(code))
    return None if isinstance(error, NotFound) else error


def without_version(request: HttpRequest) -> HttpRequest:
    """A request as a part of a batch, which has the host and the version of the API for all of them."""
    return request.with_headers([header for header in request.headers if header[0].lower() not in _LEFT_OUT])


def _part(boundary: str, number: int, request: HttpRequest) -> str:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [
        f"--{boundary}",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {number}",
        "",
        f"{request.method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request.headers),
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines)


def _is_key(key: str) -> bool:
    """Whether there can be a blob with this key. The others fail one by one."""
    try:
        check_key(key)
    except Error:
        return False
    return True
