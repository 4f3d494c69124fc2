"""Translates errors of aiohttp, asyncio, ssl and the system to ours."""

import os
import ssl
from typing import Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from entrepot.errors import Error, Timeout
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.http import failures
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadTooLarge, TlsAlert, UnknownCoding


class NoConnectionFree(aiohttp.ClientConnectionError):
    """All connections were inactive for too long, so that no waiting request got one."""

    def __init__(self, in_use: int, limit: int | None) -> None:
        super().__init__(failures.no_connection_free(in_use, limit))


class SendingStalled(aiohttp.ServerTimeoutError):
    """The server accepted no content for too long."""


class SuccessTooEarly(aiohttp.ClientConnectionError):
    """The server reported success, but did not accept the rest of the content."""


_FAILURES: Final[tuple[tuple[type[BaseException], failures.Failure], ...]] = (
    (aiohttp.ConnectionTimeoutError, failures.CONNECT_TIMEOUT),
    (SendingStalled, failures.SENDING_STALLED),
    (aiohttp.ServerTimeoutError, failures.SERVER_SILENT),
    (aiohttp.ClientConnectorCertificateError, failures.UNTRUSTED),
    (aiohttp.ClientSSLError, failures.TLS_FAILED),
    (aiohttp.ClientConnectorDNSError, failures.NAME_UNKNOWN),
    (aiohttp.ClientProxyConnectionError, failures.NO_PROXY_CONNECTION),
    (aiohttp.ClientConnectorError, failures.NO_CONNECTION),
    (aiohttp.ServerDisconnectedError, failures.NO_RESPONSE),
    (aiohttp.ClientPayloadError, failures.CONTENT_CUT),
    (SuccessTooEarly, failures.SUCCESS_TOO_EARLY),
    (aiohttp.ClientConnectionError, failures.CONNECTION_LOST),
    (aiohttp.ClientResponseError, failures.NOT_HTTP),
    (HttpProcessingError, failures.NOT_HTTP),
    (UnknownCoding, failures.UNKNOWN_CODING),
    (HeadTooLarge, failures.HEAD_TOO_LARGE),
    (TlsAlert, failures.ONLY_TLS),
    (MalformedResponse, failures.NOT_HTTP),
    (aiohttp.InvalidURL, failures.URL_UNUSABLE),
    (aiohttp.ClientError, failures.REQUEST_FAILED),
    (TimeoutError, failures.NO_RESPONSE_IN_TIME),
    (ssl.SSLError, failures.TLS_FAILED),
    (OSError, failures.CONNECTION_LOST),
)
"""The failure that a foreign exception means: the first class that fits."""

FOREIGN_ERRORS: Final = (aiohttp.ClientError, HttpProcessingError, MalformedResponse, OSError)


def translated(error: BaseException) -> Error:
    """Our error for an error of aiohttp, asyncio, ssl or the system. It repeats no URL: it may be signed."""
    if isinstance(error, Error):
        return error
    if isinstance(error, NoConnectionFree):
        return Timeout(str(error))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return failures.refused_by_proxy(error.status, HttpHeaders((error.headers or {}).items()))
    failure = next(failure for foreign, failure in _FAILURES if isinstance(error, foreign))
    if failure is failures.TLS_FAILED and isinstance(cause := getattr(error, "os_error", error), ssl.SSLError):
        failure = failures.of_tls(cause)
    return with_file_limit(failure.error("" if failure is failures.ONLY_TLS else _reason(error)), error)


def translated_in_content(error: BaseException) -> Error:
    """Our error for an error between the head of a response and the end of its content."""
    if isinstance(error, TimeoutError):
        return translated(error)
    if isinstance(error, MalformedResponse):
        return failures.CONTENT_MALFORMED.error(_reason(error))
    return failures.CONTENT_CUT.error(_reason(error))


def _reason(error: BaseException) -> str:
    """The text of the system or of our parsers. Texts of aiohttp are left out: they can repeat the URL."""
    if isinstance(error, MalformedResponse):
        return str(error)
    if isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError):
        return os.strerror(error.errno) if error.errno else ""
    return failures.reason_of(getattr(error, "os_error", error))
