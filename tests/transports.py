"""The HTTP transport that tests run over: ours, or the one that the variable ENTREPOT_TEST_TRANSPORT names.

`make test` runs them over the transport that is the default, `make test-aiohttp` and `make test-blocking` over the
other ones. The transport over blocking sockets (`blocking`) is called in threads, so that the tests can await it.
"""

import os
import re
from importlib import import_module
from typing import Any, Final

from entrepot.raw.http import choice
from entrepot.raw.http.configured import ConfiguredTransport

CHOICE: Final = os.environ.get("ENTREPOT_TEST_TRANSPORT", choice.DEFAULT)

IS_NATIVE: Final = CHOICE == "native"

IS_BLOCKING: Final = CHOICE == "blocking"

ROOM: Final = "tests.raw.http.blocking.in_threads" if IS_BLOCKING else f"entrepot.raw.http.{CHOICE}"

NAME: Final = {"native": "NativeTransport", "aiohttp": "AiohttpTransport", "blocking": "InThreads"}[CHOICE]

SENDING: Final = f"{ROOM}.sending" if IS_NATIVE else f"{ROOM}.content"
"""The module that sends the content of requests."""

if not IS_BLOCKING:
    choice.DEFAULT = CHOICE  # type: ignore[misc]  # operators of the tests have it by default
Transport: type[ConfiguredTransport] = getattr(import_module(ROOM), NAME)


NOT_IN_THREADS: Final = re.compile(
    r"cancel|loop|a_turn_that_is_given_up|looking_up_a_name|pickled|forked_child|nobody_reads_yet"
    r"|each_option_reaches|does_not_wait_out|came_unseen|refusal_that_ended_the_sending|whatever_has_arrived"
)
"""The tests whose subject a call in a thread does not have: cancellation, event loops, forks of a process with threads,
and the parts of a transport that they replace. Those of the blocking transport are in `tests/raw/http/blocking`."""


async def waiting_requests(transport: Any) -> int:
    """How many requests wait for their turn."""
    if IS_BLOCKING:
        return len(transport.inner._pool._line)
    pool = (await transport._pools.get()).current()
    return len(pool._slots._turns) if IS_NATIVE else sum(map(len, pool._connector._waiters.values()))


async def is_any_in_use(transport: Any) -> bool:
    """Whether a connection serves a request whose response has not arrived completely."""
    pool = (await transport._pools.get()).current()
    return bool(pool._slots.in_use if IS_NATIVE else pool._connector.is_in_use)
