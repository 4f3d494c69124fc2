"""The failures of connections, with the same words for every transport."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid, ContentIncomplete, Error, InvalidInput, PermissionDenied, Timeout, Unexpected
from entrepot.raw.few_files import with_file_limit

from .errors import status_error
from .transport import HttpHeaders, HttpRequest

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A way in which a connection can fail.

    Arguments:
        kind: the class of the error.
        message: its message.
        is_temporary: whether another attempt may succeed.
        hint: what the user can do about it.
    """

    kind: type[Error]
    message: str
    is_temporary: bool = True
    hint: str | None = None

    def error(self, reason: str = "") -> Error:
        """The error, with the words of the system or of a parser."""
        message = f"{self.message} ({reason})" if reason else self.message
        context = None if self.hint is None else {"hint": self.hint}
        return self.kind(message, context=context, is_temporary=self.is_temporary)


CONNECT_TIMEOUT: Final = Failure(Timeout, "no connection to the server in time")
SENDING_STALLED: Final = Failure(Timeout, "the server accepted no content for too long")
SERVER_SILENT: Final = Failure(Timeout, "the server sent nothing for too long")
NO_RESPONSE_IN_TIME: Final = Failure(Timeout, "the server did not respond in time")
UNTRUSTED: Final = Failure(Unexpected, "the server's certificate is not trusted", is_temporary=False)
TLS_FAILED: Final = Failure(Unexpected, "TLS with the server failed", is_temporary=False)
NO_TLS: Final = Failure(
    ConfigInvalid,
    "the server does not speak TLS, and the scheme of its URL is https",
    is_temporary=False,
    hint="if it has plain HTTP only, write http:// in the endpoint, or in the proxy",
)
ONLY_TLS: Final = Failure(
    ConfigInvalid,
    "the server speaks TLS, and the scheme of its URL is http",
    is_temporary=False,
    hint="write https:// in the endpoint, or in the proxy",
)
NAME_UNKNOWN: Final = Failure(Unexpected, "the server's name cannot be resolved")
NO_PROXY_CONNECTION: Final = Failure(Unexpected, "no connection to the proxy")
NO_CONNECTION: Final = Failure(Unexpected, "no connection to the server")
NO_RESPONSE: Final = Failure(Unexpected, "the server closed the connection without a response")
CONTENT_CUT: Final = Failure(ContentIncomplete, "the connection ended before the content did")
CONTENT_RESET: Final = Failure(ContentIncomplete, "the connection broke, and only its end would have ended the content")
CONTENT_MALFORMED: Final = Failure(ContentIncomplete, "the content is not valid HTTP")
SUCCESS_TOO_EARLY: Final = Failure(Unexpected, "the server reported success before it had all content")
CONNECTION_LOST: Final = Failure(Unexpected, "the connection to the server was lost")
CONNECTIONS_CLOSED: Final = Failure(Unexpected, "the connections were closed during the request")
NOT_HTTP: Final = Failure(Unexpected, "the response is not valid HTTP")
UNKNOWN_CODING: Final = Failure(
    Unexpected, "the content has a transfer coding that was not requested", is_temporary=False
)
HEAD_TOO_LARGE: Final = Failure(Unexpected, "the head of the response is too large", is_temporary=False)
URL_UNUSABLE: Final = Failure(InvalidInput, "the URL cannot be used", is_temporary=False)
HOST_UNUSABLE: Final = Failure(InvalidInput, "the URL cannot be used: its host name is not valid", is_temporary=False)
REQUEST_FAILED: Final = Failure(Unexpected, "the request failed")


def of_system(error: OSError, refused: Failure) -> Error:
    """The error of a connection that the system did not make. It keeps the errno of too many open files."""
    return with_file_limit(refused.error(reason_of(error)), error)


def no_connection_free(in_use: int, limit: int | None) -> str:
    """The message of the error when every connection was inactive for too long.

    Arguments:
        in_use: how many connections there are.
        limit: how many there may be. If there are fewer, the process could open no file for another one.
    """
    held = f"all {in_use} connections are held by open readers, and none of them is read"
    return held if in_use == limit else f"{held}; there are too many open files for another one (ulimit -n)"


def refused_by_proxy(status: int, headers: HttpHeaders) -> Error:
    """The error for a tunnel (CONNECT) that the proxy refused. Its status says nothing about the object."""
    meaning = status_error(status, headers)
    kind = PermissionDenied if isinstance(meaning, PermissionDenied) else Unexpected
    message = f"the proxy does not let the connection through (status {status})"
    return kind(message, context=meaning.context, is_temporary=meaning.is_temporary)


BAD_REQUEST: Final = 400

_NO_RECORD: Final = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL"})
"""What OpenSSL says of bytes that are not TLS, such as a response to the start of a handshake in plain HTTP."""

_ONLY_TLS_PAGES: Final = (
    b"The plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
    b"Client sent an HTTP request to an HTTPS server",  # Go
)


def of_tls(error: ssl.SSLError) -> Failure:
    """The failure that an error of a TLS handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UNTRUSTED
    return NO_TLS if _is_without_records(error) else TLS_FAILED


def _is_without_records(error: BaseException) -> bool:
    """Whether what arrived is not TLS. An error that Python makes by itself has no reason of OpenSSL."""
    return isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _NO_RECORD


def is_of_tls_port(status: int, content: bytes) -> bool:
    """Whether a response in plain HTTP says that the server speaks TLS on this port.

    Arguments:
        status: its status.
        content: its content, or the first part of it.
    """
    return status == BAD_REQUEST and any(page in content for page in _ONLY_TLS_PAGES)


def with_hint_of_tls(error: Error, sent: HttpRequest) -> Error:
    """Returns the error of a refused request, with a hint where the port may be one of TLS.

    A 400 to a HEAD has no content that could say so.
    """
    facts = error.context
    is_unexplained = facts.get("status") == BAD_REQUEST and facts.get("code") is None
    if is_unexplained and sent.method == "HEAD" and sent.url.startswith("http:"):
        facts.setdefault("hint", "if the server speaks TLS on this port, write https:// in the endpoint")
    return error


def reason_of(error: BaseException) -> str:
    """The words of the system or of OpenSSL for an error; empty if there are none, or the failure says as much."""
    if _is_without_records(error):
        return ""
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    if not words and isinstance(error, ssl.SSLError):
        words = error.reason
    return words if isinstance(words, str) else ""
