"""The process that measures one contender at one case, once, and prints the figures as JSON.

    python -m benchmarks.child '{"contender": ..., "loop": ..., "case": ..., "place": ..., "seconds": ...}'

It imports no module whose cost would be counted as a contender's.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

Figures = dict[str, float]


class Clock:
    """Wall time, CPU time of all threads, and the peak of memory since it was made."""

    def __init__(self) -> None:
        gc.collect()
        _reset_peak()
        self._memory = _memory("VmRSS")
        self.restart()

    def restart(self) -> None:
        """Restarts the times. Memory that was used before still counts."""
        self._cpu = _cpu()
        self._wall = time.perf_counter()

    def is_over(self, seconds: float) -> bool:
        return time.perf_counter() - self._wall > seconds

    def figures(self, calls: int, returned: int) -> Figures:
        wall, cpu = time.perf_counter() - self._wall, _cpu() - self._cpu
        return {"wall": wall, "cpu": cpu, "calls": calls, "returned": returned, "peak": self.peak()}

    def peak(self) -> float:
        """Peak of memory above the level at the start, in bytes."""
        return _memory("VmHWM") - self._memory


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory(field: str) -> int:
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be charged to the contenders
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


def _reset_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123
        file.write("5")


class Task:
    """One case for one contender in this process.

    Arguments:
        order: the case to measure, as `rounds.py` writes it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self.case = order["case"]
        self.seconds = order["seconds"]
        self._module = f"benchmarks.contenders.{order['contender']}"
        self._place = order["place"]

    def imported(self) -> Figures:
        """Time to import the contender's package."""
        package = import_module(self._module).PACKAGE
        clock = Clock()
        import_module(package)
        return clock.figures(1, 1)

    def verb(self) -> Callable[[], Any]:
        """The call that is repeated."""
        store = getattr(import_module(self._module), self.case["store"])(**self._place)
        verb, arguments = getattr(store, self.case["verb"]), self.case["arguments"]
        return lambda: verb(*arguments)

    def clear(self) -> None:
        """Removes the file that the work makes, if it says so."""
        if self.case["removes"]:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._place['folder']}/{self.case['removes']}")  # noqa: PTH108 - see above

    def check(self, returned: int) -> int:
        if returned != self.case["expected"]:
            raise AssertionError(f"{self.case['name']}: {returned} instead of {self.case['expected']}")
        return returned


async def rate(task: Task, verb: Callable[[], Awaitable[int]]) -> Figures:
    """Makes concurrent calls for some seconds."""
    await _called_until(task, verb, task.seconds / 3)
    clock = Clock()
    calls, returned = await _called_until(task, verb, task.seconds)
    return clock.figures(calls, returned)


async def _called_until(task: Task, verb: Callable[[], Awaitable[int]], seconds: float) -> tuple[int, int]:
    import asyncio

    calls = returned = 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal calls, returned
        while True:  # at least one call each, so that all are connected when the warm-up ends
            returned += task.check(await verb())
            calls += 1
            if time.perf_counter() > until:
                return

    await asyncio.gather(*(caller() for _ in range(task.case["concurrency"])))
    return calls, returned


LONG = 3.0
"""Seconds of work beside which the cost of a first call, such as connecting, does not matter."""


async def work(task: Task, verb: Callable[[], Awaitable[int]]) -> Figures:
    """Makes concurrent calls, each once, after a first time to warm up; if that takes long, it is the result."""
    import asyncio

    async def once() -> list[int]:
        return await asyncio.gather(*(verb() for _ in range(task.case["concurrency"])))

    task.clear()
    clock = Clock()
    done = await once()
    if not clock.is_over(LONG):
        task.clear()
        clock.restart()
        done = await once()
    return clock.figures(len(done), sum(map(task.check, done)))


async def first(task: Task, verb: Callable[[], Awaitable[int]]) -> Figures:
    """Makes one call. `main` adds the time before it in the process."""
    task.check(await verb())
    return {}


async def growth(task: Task, verb: Callable[[], Awaitable[int]]) -> Figures:
    """Growth of memory from a tenth of the calls to all of them, or at most during one."""
    repeat = task.case["repeat"]
    if repeat == 1:
        clock = Clock()
        task.check(await verb())
        return clock.figures(1, 1) | {"value": clock.peak()}
    for _ in range(repeat // 10):
        task.check(await verb())
    gc.collect()
    clock, before = Clock(), _memory("VmRSS")
    for _ in range(repeat - repeat // 10):
        task.check(await verb())
    gc.collect()
    return clock.figures(repeat, repeat) | {"value": max(0, _memory("VmRSS") - before)}


MEASURES = {"rate": rate, "work": work, "first": first, "growth": growth}


def measured_blocking(task: Task) -> Figures:
    """The same as `rate` for a contender that blocks: one call after the other, in one thread or several."""
    verb = task.verb()
    figures: Figures = {}
    for seconds in (task.seconds / 3, task.seconds):
        clock = Clock()
        totals = _in_threads(lambda: _blocked_until(task, verb, seconds), task.case["concurrency"])  # noqa: B023
        figures = clock.figures(*map(sum, zip(*totals, strict=True)))
    return figures


def _blocked_until(task: Task, verb: Callable[[], int], seconds: float) -> tuple[int, int]:
    calls = returned = 0
    until = time.perf_counter() + seconds
    while True:
        returned += task.check(verb())
        calls += 1
        if time.perf_counter() > until:
            return calls, returned


def _in_threads(call: Callable[[], tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """The results of a call in each of some threads; a single one is the thread that asks."""
    if count == 1:
        return [call()]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(call) for _ in range(count)]]


def measured(task: Task, loop: str) -> Figures:
    import asyncio

    async def main() -> Figures:
        return await MEASURES[task.case["measure"]](task, task.verb())

    if loop == "uvloop":
        import uvloop

        return uvloop.run(main())
    return asyncio.run(main())


def main() -> None:
    order = json.loads(sys.argv[1])
    task, clock = Task(order), Clock()
    if task.case["measure"] == "imported":
        figures = task.imported()
    elif order["loop"] == "none":
        figures = measured_blocking(task)
    else:
        figures = measured(task, order["loop"])
    if task.case["measure"] == "first":
        figures = clock.figures(1, 1)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # some contenders hang or abort on shutdown; the figures are complete by now


if __name__ == "__main__":
    main()
