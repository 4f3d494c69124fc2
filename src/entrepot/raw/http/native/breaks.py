"""The reasons for which a connection cannot go on with an exchange."""

from typing import NamedTuple

from entrepot.errors import Error, Timeout
from entrepot.raw.http import failures
from entrepot.raw.http.failures import Failure, reason_of
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadTooLarge, NotHttp, TlsAlert, UnknownCoding


class Break(NamedTuple):
    """Why an exchange cannot go on. Each caller gets an error of its own, since an error holds its traceback.

    Arguments:
        failure: what failed.
        reason: the words of the system or of a parser.
        is_loss: whether the connection may have been dead before the request was sent.
    """

    failure: Failure
    reason: str = ""
    is_loss: bool = False

    def error(self) -> Error:
        """The error of a request whose response has no head yet."""
        return self.failure.error(self.reason)

    def error_in_content(self) -> Error:
        """The error between the head of a response and the end of its content."""
        if self.failure.kind is Timeout or self.failure is failures.CONTENT_RESET:
            return self.error()
        if self.failure in _MALFORMED:
            return failures.CONTENT_MALFORMED.error(self.reason)
        return failures.CONTENT_CUT.error(self.reason)


_MALFORMED = (failures.NOT_HTTP, failures.UNKNOWN_CODING, failures.HEAD_TOO_LARGE)

CLOSED = Break(failures.CONNECTIONS_CLOSED)
"""The pool was closed, as at the end of the loop."""

GIVEN_UP = Break(failures.CONNECTION_LOST)
"""The caller gave the exchange up."""

LOST = Break(failures.CONNECTION_LOST, is_loss=True)
"""The connection ended before any of the request was sent."""

RESET = Break(failures.CONTENT_RESET)
"""The connection broke, and only its end would have ended the content."""


def of_malformed(error: MalformedResponse) -> Break:
    """The break by a response that breaks the rules of HTTP.

    Bytes that are not HTTP may be content after the previous response, which must not have any: the request may have
    reached nobody.
    """
    if isinstance(error, UnknownCoding):
        return Break(failures.UNKNOWN_CODING)
    if isinstance(error, TlsAlert):
        return Break(failures.ONLY_TLS)
    failure = failures.HEAD_TOO_LARGE if isinstance(error, HeadTooLarge) else failures.NOT_HTTP
    return Break(failure, str(error), isinstance(error, NotHttp))


def of_end(error: BaseException | None, *, has_head: bool) -> Break:
    """The break by the end of the connection.

    Arguments:
        error: what the event loop reported; None is an orderly end.
        has_head: whether the head of the response had arrived.
    """
    if has_head:
        return Break(failures.CONTENT_CUT, "" if error is None else reason_of(error))
    if error is None:
        return Break(failures.NO_RESPONSE, is_loss=True)
    return Break(failures.CONNECTION_LOST, reason_of(error), is_loss=True)
