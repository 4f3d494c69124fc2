"""The failures of connections, with the same words for every transport."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from entrepot.errors import ContentIncomplete, Error, InvalidInput, PermissionDenied, Timeout, Unexpected

from .errors import status_error
from .transport import HttpHeaders

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
    """

    kind: type[Error]
    message: str
    is_temporary: bool = True

    def error(self, reason: str = "") -> Error:
        """The error, with the words of the system or of a parser."""
        return self.kind(f"{self.message} ({reason})" if reason else self.message, is_temporary=self.is_temporary)


CONNECT_TIMEOUT: Final = Failure(Timeout, "no connection to the server in time")
SENDING_STALLED: Final = Failure(Timeout, "the server accepted no content for too long")
SERVER_SILENT: Final = Failure(Timeout, "the server sent nothing for too long")
NO_RESPONSE_IN_TIME: Final = Failure(Timeout, "the server did not respond in time")
UNTRUSTED: Final = Failure(Unexpected, "the server's certificate is not trusted", is_temporary=False)
TLS_FAILED: Final = Failure(Unexpected, "TLS with the server failed", is_temporary=False)
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


def no_connection_free(limit: int | None) -> str:
    """The message of the error when every connection was inactive for too long."""
    return f"all {limit} connections are held by open readers, and none of them is read"


def refused_by_proxy(status: int, headers: HttpHeaders) -> Error:
    """The error for a tunnel (CONNECT) that the proxy refused. Its status says nothing about the object."""
    meaning = status_error(status, headers)
    kind = PermissionDenied if isinstance(meaning, PermissionDenied) else Unexpected
    message = f"the proxy does not let the connection through (status {status})"
    return kind(message, context=meaning.context, is_temporary=meaning.is_temporary)


def reason_of(error: BaseException) -> str:
    """The words of the system or of OpenSSL for an error; empty if there are none."""
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    if not words and isinstance(error, ssl.SSLError):
        words = error.reason
    return words if isinstance(words, str) else ""
