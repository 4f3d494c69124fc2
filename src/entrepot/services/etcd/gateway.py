"""Calls of etcd's JSON gateway (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway): bytes are base64 in it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import (
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    StorageFull,
    Timeout,
    Unexpected,
)
from entrepot.raw.http.failures import ONLY_TLS, is_of_tls_port
from entrepot.raw.http.transport import Header, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.logging_in import logging_in

if TYPE_CHECKING:
    from .config import Etcd

RESPONSE_LIMIT: Final = 64 * 1024 * 1024
PIECE: Final = 256 * 1024
UNAUTHENTICATED: Final = 16

_TEXTS: Final[dict[str, tuple[type[Error], str, bool]]] = {
    "authentication failed": (PermissionDenied, "the server refuses the username or the password", False),
    "user name is empty": (PermissionDenied, "the server demands a username and a password", False),
    "request is too large": (InvalidInput, "the value is larger than the server takes", False),
    "message larger than max": (InvalidInput, "the value is larger than the server takes", False),
    "database space exceeded": (StorageFull, "the database of the server is full", False),
    "too many requests": (RateLimited, "the server has too many requests to work on", True),
    "has been compacted": (NotFound, "the version has been compacted", False),
    "is a future revision": (NotFound, "there is no such version", False),
    "unexpected EOF": (Unexpected, "a part of the request has not reached the server", True),
}
"""Meanings by a part of the text, which say more than the codes."""

_CODES: Final[dict[int, tuple[type[Error], str, bool]]] = {
    4: (Timeout, "the server did not finish in time", True),
    7: (PermissionDenied, "the user may not do this", False),
    UNAUTHENTICATED: (PermissionDenied, "the server refuses the token", False),
    14: (Unexpected, "the server is unavailable, or has no leader", True),
}
"""Meanings by gRPC's code."""


def encoded(data: str | bytes) -> str:
    """A key or a value as the gateway takes it. A key that is not UTF-8 was read with `surrogateescape`."""
    return b64encode(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data).decode()


def decoded(text: str) -> bytes:
    """A key or a value as it was stored."""
    return b64decode(text)


class Gateway:
    """Makes calls, and logs in before the first one where the configuration has a user.

    Arguments:
        config: where the server is.
        http: sends.
    """

    def __init__(self, config: Etcd, http: HttpTransport) -> None:
        self._endpoint = config.endpoint
        self._credentials = None if config.username is None else {"name": config.username, "password": config.password}
        self._headers = config.request_headers
        self._http = http
        self._token: str | None = None

    async def call(self, path: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a message. A token that has expired is replaced once.

        Raises:
            Error: the server refused, or is none.
        """
        if self._credentials is None:
            return _answer(*await self._send(path, message))
        status, content = await self._send_with_token(path, message, self._credentials)
        if _code(content) == UNAUTHENTICATED:
            self._token = None
            status, content = await self._send_with_token(path, message, self._credentials)
        return _answer(status, content)

    async def _send_with_token(
        self, path: str, message: Mapping[str, Any], credentials: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        token = self._token = self._token or await self._new_token(credentials)
        return await self._send(path, message, [("Authorization", token)])

    async def _new_token(self, credentials: Mapping[str, Any]) -> str:
        with logging_in():
            answer = _answer(*await self._send("/v3/auth/authenticate", credentials))
        return str(answer.get("token", ""))

    async def _send(
        self, path: str, message: Mapping[str, Any], headers: list[Header] | None = None
    ) -> tuple[int, dict[str, Any] | None]:
        """The status and the message of a response; None if it is not JSON."""
        host = self._endpoint.partition("://")[2]
        sent = [("Host", host), ("Content-Type", "application/json"), *(headers or ()), *self._headers]
        request = HttpRequest("POST", self._endpoint + path, sent, json.dumps(message).encode())
        response = await self._http.send(request)
        content = await _read(response)
        if is_of_tls_port(response.status, content):
            raise ONLY_TLS.error()
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            parsed = None
        return response.status, parsed if isinstance(parsed, dict) else None


async def _read(response: HttpResponse) -> bytes:
    pieces, size = list[bytes](), 0
    try:
        while not response.body.is_at_end and (piece := await response.body.read(PIECE)):
            pieces.append(piece)
            size += len(piece)
            if size > RESPONSE_LIMIT:
                raise Unexpected(f"the response of the server has more than {RESPONSE_LIMIT} bytes")
    finally:
        await response.body.close()
    return b"".join(pieces)


def _code(content: dict[str, Any] | None) -> int | None:
    return None if content is None else content.get("code")


def _answer(status: int, content: dict[str, Any] | None) -> dict[str, Any]:
    if status == 200 and content is not None:
        return content
    raise _refusal(status, content)


def _refusal(status: int, content: dict[str, Any] | None) -> Error:
    """The error that a response means. Its text is not repeated, since it may have parts of the message."""
    if content is None:
        is_temporary = status >= 500
        return Unexpected(f"the response is not one of etcd (status {status})", is_temporary=is_temporary)
    text = str(content.get("message") or content.get("error") or "")
    matching = (meaning for part, meaning in _TEXTS.items() if part in text)
    unknown = Unexpected, f"the server refused the call (status {status})", status >= 500
    kind, message, is_temporary = next(matching, None) or _CODES.get(content.get("code", 0)) or unknown
    return kind(message, is_temporary=is_temporary)
