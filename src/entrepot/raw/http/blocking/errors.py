"""Errors inside of this transport, and what malformed responses mean."""

from entrepot.errors import Error
from entrepot.raw.http.failures import CONTENT_MALFORMED, HEAD_TOO_LARGE, NOT_HTTP, ONLY_TLS, UNKNOWN_CODING
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadTooLarge, TlsAlert, UnknownCoding


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


def malformed(error: MalformedResponse) -> Error:
    """The error for the head of a response that breaks the rules of HTTP."""
    if isinstance(error, UnknownCoding):
        return UNKNOWN_CODING.error(str(error))
    if isinstance(error, TlsAlert):
        return ONLY_TLS.error()
    if isinstance(error, HeadTooLarge):
        return HEAD_TOO_LARGE.error(str(error))
    return NOT_HTTP.error(str(error))


def malformed_content(error: MalformedResponse) -> Error:
    """The error for content that is not framed as the head says."""
    return CONTENT_MALFORMED.error(str(error))
