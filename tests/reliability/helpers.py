"""Counting what is open, and running scripts in processes of their own."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import threading
from typing import NamedTuple

from tests.sockets import OPEN, accepted_sockets
from tests.strict import STRICT, warnings_of

SIZE = 1 << 20
CONTENT = bytes(range(256)) * (SIZE // 256)


class Census(NamedTuple):
    """How much of everything this process has open, the connections that its own test servers accepted excepted."""

    descriptors: int
    sockets: int
    threads: int


def census() -> Census:
    gc.collect()
    accepted, targets = accepted_sockets(), []
    for link in OPEN.iterdir():
        if link.name in accepted:
            continue
        try:
            targets.append(str(link.readlink()))
        except FileNotFoundError:  # that of the listing itself
            continue
    sockets = sum(target.startswith("socket:") for target in targets)
    return Census(len(targets), sockets, threading.active_count())


def other_tasks() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def until(condition) -> None:
    """Lets the loop run until the condition holds, 10 seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def run_script(source: str, argument: object, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a script that finds a pickled object as `argument`, with every warning an error."""
    script = f"import pickle\nargument = pickle.loads(bytes.fromhex({pickle.dumps(argument).hex()!r}))\n{source}"
    ended = subprocess.run([*STRICT, *options, "-c", script], capture_output=True, text=True, timeout=40, check=False)
    ended.stderr = warnings_of(ended.stderr)
    return ended
