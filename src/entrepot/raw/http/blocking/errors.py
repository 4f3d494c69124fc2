"""Errors inside of this transport, and how errors of ssl and the system become ours. None repeats a URL."""

import os
import ssl

from entrepot.errors import ContentIncomplete, Error, PermissionDenied, Timeout, Unexpected
from entrepot.raw.http.errors import status_error
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadTooLarge, ResponseHead, UnknownCoding


class Silent(Exception):
    """The peer sent nothing, or accepted nothing, for as long as it may be silent."""


class Lost(Exception):
    """A connection ended before the head of the response. On a kept connection, that says nothing about the request.

    Arguments:
        error: the error of a request that is not sent once more.
    """

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


def closed_without_response() -> Error:
    """The error for a server that ends the connection in place of a response."""
    return _temporary("the server closed the connection without a response")


def lost(error: OSError) -> Error:
    """The error for a connection that broke."""
    return _temporary(f"the connection to the server was lost{_reason(error)}")


def too_early() -> Error:
    """The error for a success that comes before the request, whose rest is then not accepted."""
    return _temporary("the server reported success before it had all content")


def silent() -> Error:
    """The error for a response that does not arrive, or does not continue."""
    return Timeout("the server sent nothing for too long", is_temporary=True)


def stalled() -> Error:
    """The error for content that is not accepted."""
    return Timeout("the server accepted no content for too long", is_temporary=True)


def not_connected_in_time() -> Error:
    """The error for a connection that takes too long."""
    return Timeout("no connection to the server in time", is_temporary=True)


def not_connected(error: OSError, peer: str) -> Error:
    """The error for a peer, the server or the proxy, that cannot be reached."""
    return _temporary(f"no connection to the {peer}{_reason(error)}")


def not_resolved(error: OSError) -> Error:
    """The error for a name without an address."""
    return _temporary(f"the server's name cannot be resolved{_reason(error)}")


def tls_failed(error: ssl.SSLError) -> Error:
    """The error for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unexpected(f"the server's certificate is not trusted{_reason(error)}")
    return Unexpected(f"TLS with the server failed{_reason(error)}")


def malformed(error: MalformedResponse) -> Error:
    """The error for the head of a response that breaks the rules of HTTP."""
    if isinstance(error, UnknownCoding):
        return Unexpected(f"the content has a transfer coding that was not requested{_words(error)}")
    if isinstance(error, HeadTooLarge):
        return Unexpected(f"the head of the response is too large{_words(error)}")
    return _temporary(f"the response is not valid HTTP{_words(error)}")


def malformed_content(error: MalformedResponse) -> Error:
    """The error for content that is not framed as the head says."""
    return ContentIncomplete(f"the content is not valid HTTP{_words(error)}")


def incomplete(*, ends_with_connection: bool = False) -> Error:
    """The error for content whose connection ended too early."""
    if ends_with_connection:
        return ContentIncomplete("the connection broke, and only its end would have ended the content")
    return ContentIncomplete("the connection ended before the content did")


def refused_by_proxy(head: ResponseHead) -> Error:
    """The error for a tunnel (CONNECT) that the proxy refused. Its status says nothing about the object."""
    meaning = status_error(head.status, head.headers)
    kind = PermissionDenied if isinstance(meaning, PermissionDenied) else Unexpected
    message = f"the proxy does not let the connection through (status {head.status})"
    return kind(message, context=meaning.context, is_temporary=meaning.is_temporary)


def _temporary(message: str) -> Error:
    return Unexpected(message, is_temporary=True)


def _words(error: MalformedResponse) -> str:
    return f" ({error})" if error.args else ""


def _reason(error: OSError) -> str:
    """The text of the system or of OpenSSL."""
    if isinstance(error, ssl.SSLError):
        words = getattr(error, "verify_message", None) or error.strerror
    else:
        words = error.strerror or (os.strerror(error.errno) if error.errno else None)
    return f" ({words})" if isinstance(words, str) and words else ""
