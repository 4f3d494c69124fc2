"""The tests of the transport over aiohttp that concern servers, content and proxies, over the blocking transport."""

from __future__ import annotations

import pytest

from tests.integration import test_misbehaving_http
from tests.raw.http import test_aiohttp, test_uploads, test_wire

from .in_threads import InThreads

LEFT_OUT = (
    "cancel",  # a thread cannot be cancelled
    "loop",  # there is none
    "at_once_as_a_reply",  # these look into aiohttp's objects, or replace a part of its transport
    "acknowledged_at_once",
    "looking_up_a_name",
    "not_started_anew",
    "nobody_reads_yet",
    "pickled",
    "refusal_that_ended_the_sending",
    "came_unseen",
    "turn_that_is_given_up",
    "sender",
    "private",
)
MODULES = (test_misbehaving_http, test_aiohttp, test_uploads, test_wire)


@pytest.fixture(autouse=True)
def _over_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "AiohttpTransport", InThreads)


def _is_taken(name: str) -> bool:
    return not any(part in name for part in LEFT_OUT)


for _module in MODULES:
    globals().update({name: value for name, value in vars(_module).items() if not name.startswith(("test_", "__"))})
    globals().update(
        {name: value for name, value in vars(_module).items() if name.startswith("test_") and _is_taken(name)}
    )
