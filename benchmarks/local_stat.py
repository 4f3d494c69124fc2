"""The cost of a local stat through the default stack, beside `os.stat` of the same file and the promised limit.

    python benchmarks/local_stat.py [--rounds 40] [--calls 2000]

A stat of fs without an event loop must cost at most 3 times `os.stat` plus 10 us. All are measured in turn, over
many short rounds, and the minimum of each is printed: other load of the machine can only add to it. Use a release
interpreter without `-X dev`, which adds checks to every call.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs

FACTOR = 3
EXTRA = 10.0
"""Microseconds."""


def contenders(folder: str, path: str) -> dict[str, Callable[[], Any]]:
    """`os.stat`, and our stat by both ways to call it without a loop."""
    blocking = Operator(Fs(folder)).blocking()
    awaited = Operator(Fs(folder), context=Context(runtime=inline.InlineRuntime()))
    absolute = f"{folder}/{path}"
    return {
        "os.stat": lambda: os.stat(absolute),  # noqa: PTH116 - the promise names it
        "blocking()": lambda: blocking.stat(path),
        "inline run": lambda: inline.run(awaited.stat(path)),
    }


def microseconds(call: Callable[[], Any], calls: int) -> float:
    """The time of one of several calls."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def compare(folder: str, path: str, rounds: int, calls: int) -> None:
    measured = contenders(folder, path)
    least = dict.fromkeys(measured, float("inf"))
    for _ in range(rounds):
        for name, call in measured.items():
            least[name] = min(least[name], microseconds(call, calls))
    base = least.pop("os.stat")
    limit = FACTOR * base + EXTRA
    print(f"{path}: os.stat {base:.2f} us, limit {limit:.2f} us")
    for name, cost in least.items():
        print(f"  {name:10} {cost:6.2f} us   {'holds' if cost <= limit else 'DOES NOT HOLD'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a/b/c").mkdir(parents=True)
        for path, content in (("file", b"data"), ("empty", b""), ("a/b/c/file", b"data")):
            (Path(folder) / path).write_bytes(content)
            compare(folder, path, arguments.rounds, arguments.calls)


if __name__ == "__main__":
    main()
