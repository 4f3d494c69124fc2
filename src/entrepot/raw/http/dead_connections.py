"""When kept connections count as dead, and which requests are then sent once more: the same for every transport.

Theory of operation. Servers close idle connections, and load balancers and firewalls forget them without a word. The
next request on one finds out. It is sent once more, on a new connection, and the other kept connections to that origin
are cut off: they were idle just as long, and each would cost a request to find out. A response that is missing when the
caller gives up counts as a sign of death too, unless that is early.
"""

from time import monotonic
from typing import Final

REPEATABLE: Final = frozenset({"GET", "HEAD"})
"""The methods of requests that may be sent once more, although a server may have acted on them (RFC 9112, 9.3.1)."""

SILENCE: Final = 1.0
"""Seconds without a response after which the kept connection of a request that its caller gives up counts as dead.
Callers with their own timeout give up late. Callers that hedge requests give up much earlier, and would lose good
connections."""


def is_given_up_early(error: BaseException, started: float, *deadlines: type[Exception]) -> bool:
    """Whether the caller gave a request up so soon that the missing response says nothing about the connection.

    Arguments:
        error: what ended the wait for the response.
        started: the time on the monotonic clock when the request had its connection.
        deadlines: the errors that a deadline of the caller raises, beside cancellations and interrupts.
    """
    is_given_up = isinstance(error, deadlines) or not isinstance(error, Exception)
    return is_given_up and monotonic() - started < SILENCE
