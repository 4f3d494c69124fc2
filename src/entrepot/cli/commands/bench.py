"""`bench`: measures a place with objects of its own, which it deletes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.quantities import SIZE, human_size
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("bench")
@click.argument("word", type=PLACE, metavar="PLACE")
@click.option("--files", type=click.IntRange(1), default=100, show_default=True, help="How many objects.")
@click.option("--size", type=SIZE, default="64k", show_default=True, metavar="SIZE", help="Bytes of each.")
@click.option("--concurrency", type=click.IntRange(1), default=16, show_default=True, help="Objects in flight.")
async def command(session: Session, word: str, files: int, size: int, concurrency: int) -> None:
    """Measure a place: upload, describe, read and list objects, and delete them again.

    They are in a directory of their own below PLACE, which is deleted also if the measurement fails or is interrupted.
    Rates are of the whole and include the work of this machine; the latencies are of single objects while the others
    are in flight. One run says little: the figures of a second one show how much they vary.
    """
    place = session.find(word).as_directory().inside(f"entrepot-bench-{uuid4().hex}/")
    session.check_values()
    try:
        await _Bench(session, place, files, size, concurrency).run()
    except Error as error:
        session.fail(place.name, error)


@dataclass(slots=True)
class _Bench:
    """One measurement.

    Arguments:
        session: has the output.
        place: a directory that does not exist.
        files: how many objects.
        size: bytes of each.
        concurrency: objects in flight.
    """

    session: Session
    place: Place
    files: int
    size: int
    concurrency: int
    latencies: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Measures, and deletes what was uploaded."""
        operator, content = self.place.operator, os.urandom(self.size)
        try:
            await self._measure("upload", lambda path: operator.write(path, content), self.size)
            await self._measure("stat", operator.stat, 0)
            await self._measure("read", operator.read, self.size)
            await self._measure_listing()
        finally:
            start = time.perf_counter()
            await operator.delete(self.place.path, recursive=True)
        self._show("delete", time.perf_counter() - start, 0)

    async def _measure(self, what: str, call: Callable[[str], Awaitable[object]], size: int) -> None:
        """Calls a function for each object, several at a time."""
        self.latencies.clear()
        paths = iter([f"{self.place.path}{number:06}" for number in range(self.files)])
        start = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, self.files)):
                    group.create_task(self._work(paths, call))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures  # the others fail in the same way
        self._show(what, time.perf_counter() - start, size)

    async def _work(self, paths: Iterator[str], call: Callable[[str], Awaitable[object]]) -> None:
        for path in paths:
            start = time.perf_counter()
            await call(path)
            self.latencies.append(time.perf_counter() - start)

    async def _measure_listing(self) -> None:
        self.latencies.clear()
        start = time.perf_counter()
        await self.place.operator.list(self.place.path)
        self._show("list", time.perf_counter() - start, 0)

    def _show(self, what: str, seconds: float, size: int) -> None:
        rate = self.files / seconds
        record: dict[str, object] = {
            "operation": what,
            "files": self.files,
            "seconds": seconds,
            "files_per_second": rate,
        }
        text = f"{what:<7} {rate:>10.1f} objects/s"
        if size:
            record["bytes_per_second"] = rate * size
            text += f" {human_size(rate * size):>11}/s"
        if self.latencies:
            ordered = sorted(self.latencies)
            middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
            record |= {"median_seconds": middle, "p99_seconds": high}
            text += f"   median {middle * 1000:.1f} ms, 99 % in {high * 1000:.1f} ms"
        self.session.output.show(text, **record)
