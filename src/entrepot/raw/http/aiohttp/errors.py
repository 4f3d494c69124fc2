"""Translates errors of aiohttp, asyncio, ssl and the system to ours."""

import os
import ssl
from typing import Final, NamedTuple

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from entrepot.errors import (
    ContentIncomplete,
    Error,
    InvalidInput,
    PermissionDenied,
    Timeout,
    Unexpected,
)
from entrepot.raw.http.errors import status_error
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadTooLarge, UnknownCoding


class NoConnectionFree(aiohttp.ClientConnectionError):
    """All connections were inactive for too long, so that no waiting request got one."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"all {limit} connections are held by open readers, and none of them is read")


class SendingStalled(aiohttp.ServerTimeoutError):
    """The server accepted no content for too long."""


class SuccessTooEarly(aiohttp.ClientConnectionError):
    """The server reported success, but did not accept the rest of the content."""


class _Meaning(NamedTuple):
    """Our error for a foreign exception."""

    foreign: type[BaseException]
    ours: type[Error]
    message: str
    is_temporary: bool


_MEANINGS: Final = (
    _Meaning(aiohttp.ConnectionTimeoutError, Timeout, "no connection to the server in time", True),
    _Meaning(SendingStalled, Timeout, "the server accepted no content for too long", True),
    _Meaning(aiohttp.ServerTimeoutError, Timeout, "the server sent nothing for too long", True),
    _Meaning(aiohttp.ClientConnectorCertificateError, Unexpected, "the server's certificate is not trusted", False),
    _Meaning(aiohttp.ClientSSLError, Unexpected, "TLS with the server failed", False),
    _Meaning(aiohttp.ClientConnectorDNSError, Unexpected, "the server's name cannot be resolved", True),
    _Meaning(aiohttp.ClientProxyConnectionError, Unexpected, "no connection to the proxy", True),
    _Meaning(aiohttp.ClientConnectorError, Unexpected, "no connection to the server", True),
    _Meaning(aiohttp.ServerDisconnectedError, Unexpected, "the server closed the connection without a response", True),
    _Meaning(aiohttp.ClientPayloadError, ContentIncomplete, "the connection ended before the content did", True),
    _Meaning(SuccessTooEarly, Unexpected, "the server reported success before it had all content", True),
    _Meaning(aiohttp.ClientConnectionError, Unexpected, "the connection to the server was lost", True),
    _Meaning(aiohttp.ClientResponseError, Unexpected, "the response is not valid HTTP", True),
    _Meaning(HttpProcessingError, Unexpected, "the response is not valid HTTP", True),
    _Meaning(UnknownCoding, Unexpected, "the content has a transfer coding that was not requested", False),
    _Meaning(HeadTooLarge, Unexpected, "the head of the response is too large", False),
    _Meaning(MalformedResponse, Unexpected, "the response is not valid HTTP", True),
    _Meaning(aiohttp.InvalidURL, InvalidInput, "the URL cannot be used", False),
    _Meaning(aiohttp.ClientError, Unexpected, "the request failed", True),
    _Meaning(TimeoutError, Timeout, "the server did not respond in time", True),
    _Meaning(ssl.SSLError, Unexpected, "TLS with the server failed", False),
    _Meaning(OSError, Unexpected, "the connection to the server was lost", True),
)

FOREIGN_ERRORS: Final = (aiohttp.ClientError, HttpProcessingError, MalformedResponse, OSError)


def translated(error: BaseException) -> Error:
    """Our error for an error of aiohttp, asyncio, ssl or the system. It repeats no URL: it may be signed."""
    if isinstance(error, Error):
        return error
    if isinstance(error, NoConnectionFree):
        return Timeout(str(error))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error)
    meaning = next(meaning for meaning in _MEANINGS if isinstance(error, meaning.foreign))
    return meaning.ours(f"{meaning.message}{_reason(error)}", is_temporary=meaning.is_temporary)


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError) -> Error:
    """The error for a tunnel (CONNECT) that the proxy refused. Its status says nothing about the object."""
    meaning = status_error(error.status, HttpHeaders((error.headers or {}).items()))
    kind = PermissionDenied if isinstance(meaning, PermissionDenied) else Unexpected
    message = f"the proxy does not let the connection through (status {error.status})"
    return kind(message, context=meaning.context, is_temporary=meaning.is_temporary)


def translated_in_content(error: BaseException) -> Error:
    """Our error for an error between the head of a response and the end of its content."""
    if isinstance(error, TimeoutError):
        return translated(error)
    if isinstance(error, MalformedResponse):
        return ContentIncomplete(f"the content is not valid HTTP{_reason(error)}")
    return ContentIncomplete(f"the connection ended before the content did{_reason(error)}")


def _reason(error: BaseException) -> str:
    """The text of the system or of our parsers. Texts of aiohttp are left out: they can repeat the URL."""
    if isinstance(error, MalformedResponse):
        return f" ({error})" if error.args else ""
    if isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError):
        return f" ({os.strerror(error.errno)})" if error.errno else ""
    cause = getattr(error, "os_error", error)
    words = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    return f" ({words})" if isinstance(words, str) and words else ""
