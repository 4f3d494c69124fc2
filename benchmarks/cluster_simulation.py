"""Simulates a transfer over a cluster in virtual time: the real schedule, and tasks that only take time.

    python -m benchmarks.cluster_simulation --objects 1e8 --threads 100 --seed 1

The loop is `entrepot.integrations.dask.schedule.Run`, which decides what is submitted and when. The pool is a heap of
the times at which tasks end. Directories have sizes by Zipf's law, so that a few have most of the objects; a listing of
one directory is a chain of surveys, each after the other. So the simulation shows what skew, listing and the window
cost, and how much the client holds and computes. It says nothing of a network.
"""

from __future__ import annotations

import argparse
import heapq
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from entrepot.integrations.dask.items import Batch, Limits
from entrepot.integrations.dask.report import ClusterReport, Outcome
from entrepot.integrations.dask.schedule import Job, Run
from entrepot.integrations.dask.survey import Survey, Unit
from entrepot.integrations.dask.window import PER_THREAD, Window


@dataclass(frozen=True)
class Scenario:
    """What is transferred, and by what.

    Arguments:
        objects: how many objects there are.
        directories: how many directories they are in.
        skew: the exponent of Zipf's law; 0 is none.
        size: the mean bytes of an object; sizes are lognormal.
        threads: threads of all workers.
        request: seconds of one request.
        concurrent: requests in flight of one task.
        bandwidth: bytes per second of one thread.
        seed: the seed of the random numbers.
    """

    objects: int = 1_000_000
    directories: int = 1_000
    skew: float = 1.0
    size: int = 1_000_000
    threads: int = 100
    request: float = 0.05
    concurrent: int = 16
    bandwidth: float = 100e6
    seed: int = 1


@dataclass
class Result:
    """What the simulation found.

    Arguments:
        report: the report of the run.
        seconds: the virtual time of the run.
        work: the virtual time of all tasks, of one thread.
        waiting: the most batches that the client held.
        client: seconds of CPU that the schedule took.
        peak: bytes that the client held at most.
    """

    report: ClusterReport
    seconds: float
    work: float
    waiting: int
    client: float
    peak: int

    def efficiency(self, threads: int) -> float:
        """The share of the threads' time in which they worked."""
        return self.work / (self.seconds * threads)


@dataclass
class VirtualPool:
    """A pool of threads in virtual time. A task takes the time that `cost` says, and starts when a thread is free."""

    threads: int
    cost: Callable[[Any], float]
    now: float = 0.0
    work: float = 0.0
    _free: int = field(init=False)
    _names: int = 0
    _running: list[tuple[float, int, Callable[..., Any], Any]] = field(default_factory=list)
    _queue: deque[tuple[int, Callable[..., Any], Any]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._free = self.threads

    @property
    def size(self) -> int:
        return self.threads

    def submit(self, function: Callable[..., Any], *args: Any) -> int:
        self._names += 1
        self._queue.append((self._names, function, args[0]))
        self._start()
        return self._names

    def take(self) -> tuple[int, Any]:
        self.now, name, function, argument = heapq.heappop(self._running)
        self._free += 1
        self._start()
        return name, function(argument)

    def close(self) -> None:
        self._queue.clear()

    def _start(self) -> None:
        while self._free and self._queue:
            name, function, argument = self._queue.popleft()
            seconds = self.cost(argument)
            self.work += seconds
            self._free -= 1
            heapq.heappush(self._running, (self.now + seconds, name, function, argument))


class Forest:
    """Directories with numbers of objects by Zipf's law, surveyed as the real ones are: 10,000 names at a time."""

    def __init__(self, scenario: Scenario, limits: Limits) -> None:
        self._limits = limits
        self._random = Random(scenario.seed)  # noqa: S311 - not for secrets
        self._scenario = scenario
        weights = [1 / rank**scenario.skew for rank in range(1, scenario.directories + 1)]
        scale = scenario.objects / sum(weights)
        self._counts = [int(weight * scale) for weight in weights]
        self._counts[0] += scenario.objects - sum(self._counts)
        self._random.shuffle(self._counts)

    def survey(self, unit: Unit) -> Survey:
        """The objects of the next names of a directory, and the unit that continues it."""
        if unit.directories == ("/",):
            return Survey(units=tuple(Unit((str(number),), "0") for number in range(len(self._counts))))
        start, count = int(unit.after or 0), self._counts[int(unit.directories[0])]
        stop = min(count, start + self._limits.probe)
        more = (Unit(unit.directories, str(stop)),) if stop < count else ()
        return Survey(tuple(self._batches(stop - start)), more)

    def cost(self, task: Unit | Batch) -> float:
        """Seconds that a task takes."""
        scenario = self._scenario
        if isinstance(task, Unit):
            return scenario.request * self._limits.probe / 1_000  # pages of 1,000 names, one after the other
        return task.keys * scenario.request / scenario.concurrent + task.size / scenario.bandwidth

    def _batches(self, count: int) -> list[Batch]:
        batches = []
        share = 2 / self._limits.keys
        while count:
            border = int(self._random.expovariate(share)) + 1
            keys = min(count, border, self._limits.keys)
            size = int(keys * self._scenario.size * self._random.lognormvariate(-0.125, 0.5))
            parts = max(1, -(-size // self._limits.size))
            for part in range(parts):
                share_of_keys = keys * (part + 1) // parts - keys * part // parts
                batches.append(Batch("", share_of_keys, size // parts, b""))
            count -= keys
        return batches


def simulate(scenario: Scenario, limits: Limits | None = None) -> Result:
    """Runs a scenario.

    Arguments:
        scenario: what is transferred.
        limits: how the tree is cut. By default as by the library.
    """
    limits = limits or Limits()
    forest = Forest(scenario, limits)
    pool = VirtualPool(scenario.threads, forest.cost)
    job = Job(
        survey=forest.survey,
        work=lambda batch: Outcome(done=batch.keys, size=batch.size),
        stream=lambda _: iter(()),
        limits=limits,
    )
    run = Run(pool, job, Window(scenario.threads * PER_THREAD))
    tracemalloc.start()
    begun = time.process_time()
    report = run.all("/")
    client = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Result(report, pool.now, pool.work, run.waiting, client, peak)


def main() -> None:
    """Simulates the scenario of the command line and prints one row of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in vars(Scenario()).items():
        kind: Callable[[str], Any] = float if isinstance(value, float) else lambda text: int(float(text))
        parser.add_argument(f"--{name}", type=kind, default=value)
    scenario = Scenario(**vars(parser.parse_args()))
    result = simulate(scenario)
    report = result.report
    print(
        f"| {report.done:,} | {report.size / 1e12:.3f} TB | {scenario.threads} | {report.tasks:,} "
        f"| {result.seconds / 3600:.2f} h | {result.efficiency(scenario.threads):.1%} | {result.waiting:,} "
        f"| {result.client / report.tasks * 1e6:.0f} us | {result.peak / 2**20:.1f} MiB |"
    )


if __name__ == "__main__":
    main()
