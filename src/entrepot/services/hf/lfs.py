"""Uploads content to the storage of Git LFS, as a whole or in parts.

Sources: the batch API of Git LFS (`docs/api/batch.md` of git-lfs), and the transfer `multipart` of the hub: the header
of the upload action has the size of a part and the URL of each, by its number, and `href` completes the upload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from entrepot.errors import PermissionDenied, Unexpected
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.endpoint import DEFAULT_PORTS
from entrepot.raw.http.headers import header_etag
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.oio.windowed import gather
from entrepot.raw.runtime import Window

from .answers import malformed, read_object
from .content import Content
from .core import HfDialect
from .errors import lfs_error

CONCURRENT: Final = 4
"""How many parts of one object are in flight, unless `concurrent` says otherwise."""

_FORBIDDEN: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class LfsStorage:
    """The storage of large files.

    Arguments:
        client: sends the requests to the hub.
        storage: sends content to the hosts that the hub names, without credentials: those are in the URLs.
    """

    __slots__ = ("_client", "_storage")

    def __init__(self, client: HttpClient[HfDialect], storage: HttpClient[Dialect]) -> None:
        self._client = client
        self._storage = storage

    async def upload(self, content: Content, oid: str, concurrent: int | None) -> None:
        """Sends content, unless the storage has it.

        Arguments:
            content: the content.
            oid: its SHA-256 in hexadecimal.
            concurrent: parts in flight; None is `CONCURRENT`.

        Raises:
            Error: the hub or the storage refuses it, or the upload failed.
        """
        actions = await self._actions(oid, content.size)
        if (upload := _action(actions, "upload")) is None:
            return
        header = upload.get("header")
        headers = header if isinstance(header, Mapping) else {}
        if "chunk_size" in headers:
            await self._send_parts(content, oid, _href(upload, is_secure=self._is_secure), headers, concurrent)
        else:
            request = HttpRequest("PUT", _href(upload, is_secure=self._is_secure), _headers(headers))
            await self._storage.store(request.with_content(await content.whole()))
        if (verify := _action(actions, "verify")) is not None:
            await self._post(_href(verify, is_secure=self._is_secure), {"oid": oid, "size": content.size})

    async def _actions(self, oid: str, size: int) -> Mapping[str, Any]:
        """What is left to do for an object; nothing if the storage has it."""
        repository = self._client.dialect.repository
        batch = {
            "operation": "upload",
            "transfers": ["basic", "multipart"],
            "objects": [{"oid": oid, "size": size}],
            "hash_algo": "sha256",
            "ref": {"name": repository.revision},
        }
        objects = read_object(await self._post(repository.lfs_batch, batch)).get("objects")
        if not isinstance(objects, list) or len(objects) != 1 or not isinstance(objects[0], Mapping):
            raise malformed()
        if isinstance(error := objects[0].get("error"), Mapping):
            raise lfs_error(error.get("code"))
        actions = objects[0].get("actions")
        return actions if isinstance(actions, Mapping) else {}

    async def _send_parts(
        self, content: Content, oid: str, completion: str, header: Mapping[str, Any], concurrent: int | None
    ) -> None:
        size = _part_size(header)
        urls = [url for _, url in sorted((int(name), url) for name, url in header.items() if name.isdecimal())]
        if not all(isinstance(url, str) for url in urls) or len(urls) != -(-content.size // size):
            raise malformed()
        parts = list[dict[str, object]]()
        window: Window[Any] = self._storage.runtime.window(concurrent or CONCURRENT)
        calls = (partial(self._send_part, content, index, size, url) for index, url in enumerate(urls))
        await gather(calls, window, parts)
        document = json.dumps({"oid": oid, "parts": parts}).encode()
        await self._storage.call(self._client.dialect.lfs_post(completion, document))

    async def _send_part(self, content: Content, index: int, size: int, url: str) -> dict[str, object]:
        start = index * size
        part = await content.read(start, min(start + size, content.size))
        etag = header_etag(
            await self._storage.store(HttpRequest("PUT", checked_url(url, is_secure=self._is_secure), (), part))
        )
        if etag is None:
            raise Unexpected("the storage states no etag of a part")
        return {"partNumber": index + 1, "etag": etag}

    async def _post(self, url: str, document: object) -> bytes:
        """Sends a request of Git LFS to the hub, and returns the content of the response."""
        _, content = await self._client.call(self._client.dialect.lfs_post(url, json.dumps(document).encode()))
        return content

    @property
    def _is_secure(self) -> bool:
        return self._client.dialect.repository.endpoint.startswith("https://")


def _action(actions: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    action = actions.get(name)
    return action if isinstance(action, Mapping) else None


def _href(action: Mapping[str, Any], *, is_secure: bool) -> str:
    href = action.get("href")
    if not isinstance(href, str):
        raise malformed()
    return checked_url(href, is_secure=is_secure)


def checked_url(url: str, *, is_secure: bool) -> str:
    """A URL that the hub names. It may have credentials in its query, so that no error shows it.

    Arguments:
        url: the URL.
        is_secure: whether the hub is reached by TLS.

    Raises:
        PermissionDenied: the hub is reached by TLS, and the URL is not.
        Unexpected: it is not HTTP.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # the error has the URL
        scheme = ""
    if scheme not in DEFAULT_PORTS or not url.isascii() or not url.isprintable():
        raise malformed()
    if is_secure and scheme != "https":
        raise PermissionDenied("the hub wants content to be sent without TLS")
    return url


def _headers(header: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers that the upload must have."""
    return [
        (name, value)
        for name, value in header.items()
        if isinstance(value, str) and name.lower() not in _FORBIDDEN and value.isprintable() and value.isascii()
    ]


def _part_size(header: Mapping[str, Any]) -> int:
    text = str(header["chunk_size"])
    if not text.isdecimal() or int(text) < 1:
        raise malformed()
    return int(text)
