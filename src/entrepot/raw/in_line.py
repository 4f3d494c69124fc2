"""How a time limit learns that a call was still waiting for one of our own connections when it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from entrepot.errors import Error

_MARK = "waited_for_connection"


@contextmanager
def waiting_in_line(option: str) -> Iterator[None]:
    """Around the wait for a free connection: a cancellation says that it came there.

    Arguments:
        option: the option that sets how many connections there are.
    """
    try:
        yield
    except BaseException as error:
        setattr(error, _MARK, option)
        raise


def awaited_option(error: BaseException | None) -> str | None:
    """The option of the connections that a call waited for when it was cancelled; None if it waited for something else.

    Arguments:
        error: the `TimeoutError` of the limit, whose cause or, before Python 3.11.4, context is the cancellation. An
            `Error` in its context is of an earlier call, which the caller handles.
    """
    while error is not None and not isinstance(error, Error):
        if (option := getattr(error, _MARK, None)) is not None:
            return str(option)
        error = error.__cause__ or error.__context__
    return None
