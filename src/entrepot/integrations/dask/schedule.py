"""The order of the tasks of a run, over any pool that runs them.

Theory of operation. The loop keeps `Window.size` tasks in flight and decides which comes next: a batch if there is
one, else a survey that finds more batches. Surveys are taken from the end of their list, so that the deepest
directories come first and the list stays short; and none is started while batches wait. So the client holds the
results of the surveys in flight, one bounded number of batches each, whatever the size of the tree. A level that no
survey can return at once is streamed by the client itself, a batch whenever there is room.

A task that ended is counted and forgotten. Its objects that failed with a temporary error become a batch for the next
attempt, after the batches that wait. An error of a whole batch, such as a worker that died again and again, is
the error of each of its objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from entrepot import Error, Unexpected

from .items import Batch, Item, Limits, cut
from .report import ClusterReport, Outcome, ReportRun
from .survey import Survey, Unit
from .window import Window

ATTEMPTS: Final = 4
"""How often an object is tried, by default, besides the retries of its operators."""


class Pool(Protocol):
    """Runs tasks."""

    @property
    def size(self) -> int:
        """Tasks that run at the same time."""
        ...

    def submit(self, function: Callable[..., Any], *args: Any) -> object:
        """Starts a task, and returns its name, by which `take` returns it."""
        ...

    def take(self) -> tuple[object, Any]:
        """Waits for the next task that ends, and returns its name and its result, which is an exception if it failed.

        Raises:
            Error: the pool is lost.
        """
        ...

    def close(self) -> None:
        """Cancels the tasks in flight."""
        ...


class Spread(Protocol):
    """One large object whose parts are tasks. It was started, and ends by `complete` or `abort`."""

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the parts that are still to be sent."""
        ...

    def task(self, number: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The function that sends a part, and its arguments."""
        ...

    def complete(self, results: Sequence[Any]) -> Outcome:
        """Makes the object of its parts.

        Raises:
            Error: the storage refuses it.
        """
        ...

    def abort(self) -> None:
        """Drops the parts.

        Raises:
            Error: the storage refuses it.
        """
        ...

    def leave(self) -> None:
        """Ends the work of this run, which stops early: the parts are dropped if the next run cannot go on with them.

        Raises:
            Error: the storage refuses it.
        """
        ...


def whole(_: Batch) -> Spread | None:
    """Spreads no batch."""
    return None


@dataclass(frozen=True, slots=True)
class Job:
    """The functions and limits of a run.

    Arguments:
        survey: a task: surveys a unit, and returns a `Survey`.
        work: a task: does the work of a batch, and returns an `Outcome`.
        stream: yields the objects, the directories and the errors of a level, in this process.
        limits: how the tree is cut.
        attempts: how often an object is tried.
        spread: prepares a batch of one large object whose parts are tasks of their own; returns None for a batch that
            is one task.
    """

    survey: Callable[[Unit], Survey]
    work: Callable[[Batch], Outcome]
    stream: Callable[[Unit], Iterator[Item | Unit | Error]]
    limits: Limits = field(default_factory=Limits)
    attempts: int = ATTEMPTS
    spread: Callable[[Batch], Spread | None] = whole


@dataclass(slots=True, eq=False)
class _Parts:
    """A large object whose parts are tasks.

    Arguments:
        spread: the object.
        batch: its batch.
        in_flight: parts in flight.
        tries: how often each part has failed.
        results: the results of the parts that are stored.
        error: why a part failed for good.
    """

    spread: Spread
    batch: Batch
    in_flight: int = 0
    tries: dict[int, int] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)
    error: Error | None = None


@dataclass(slots=True)
class Run:
    """A run of a job.

    Arguments:
        pool: runs the tasks.
        job: what to do.
        window: how many tasks are in flight.
        progress: called after each task.

    Attributes:
        report: the report so far.
        waiting: the most batches that have waited at one time.
    """

    pool: Pool
    job: Job
    window: Window
    progress: ReportRun | None = None
    report: ClusterReport = field(default_factory=ClusterReport)
    waiting: int = 0
    _units: list[Unit] = field(default_factory=list)
    _batches: deque[Batch] = field(default_factory=deque)
    _stream: Iterator[Batch] | None = None
    _spread: list[_Parts] = field(default_factory=list)
    _parts: deque[tuple[_Parts, int]] = field(default_factory=deque)
    _in_flight: dict[object, Unit | Batch | tuple[_Parts, int]] = field(default_factory=dict)

    def all(self, directory: str) -> ClusterReport:
        """Runs the job over a directory, and returns the report.

        Arguments:
            directory: the directory, with a trailing slash.

        Raises:
            Error: the pool is lost.
        """
        self._units.append(Unit((directory,)))
        try:
            while self._start():
                self._end(*self.pool.take())
                if self.progress is not None:
                    self.progress(self.report)
        finally:
            self.pool.close()
            self._leave()
        return self.report

    def _leave(self) -> None:
        """Ends the objects whose parts are not all sent. An error here does not hide the one that ended the run."""
        for parts in self._spread:
            try:
                parts.spread.leave()
            except Error as error:
                self._note_error(error)

    def _start(self) -> bool:
        """Fills the window. Returns whether a task is in flight."""
        while len(self._in_flight) < self.window.size and self._start_one():
            pass
        return bool(self._in_flight)

    def _start_one(self) -> bool:
        """Takes up the next piece of work. Returns whether there was one."""
        if self._parts:
            self._start_part(*self._parts.popleft())
        elif self._next_batch():
            self._start_batch(self._batches.popleft())
        elif self._units:
            unit = self._units.pop()
            self._in_flight[self.pool.submit(self.job.survey, unit)] = unit
        else:
            return False
        return True

    def _start_batch(self, batch: Batch) -> None:
        try:
            spread = self.job.spread(batch)
            if spread is None:
                self._in_flight[self.pool.submit(self.job.work, batch)] = batch
                return
            parts = _Parts(spread, batch)
            self._spread.append(parts)
            self._parts.extend((parts, number) for number in spread.numbers)
            if not spread.numbers:  # an earlier run has sent all of them
                self._complete(parts)
        except Error as error:
            self._end_batch(batch, error)

    def _start_part(self, parts: _Parts, number: int) -> None:
        function, args = parts.spread.task(number)
        self._in_flight[self.pool.submit(function, *args)] = parts, number
        parts.in_flight += 1

    def _next_batch(self) -> bool:
        """Whether a batch waits, which may be the next one of a level that is streamed."""
        while not self._batches and self._stream is not None:
            try:
                self._add((next(self._stream),))
            except StopIteration:
                self._stream = None
            except Error as error:
                self._stream = None
                self._note_error(error)
        return bool(self._batches)

    def _end(self, name: object, result: Any) -> None:
        task = self._in_flight.pop(name)
        match task:
            case Unit():
                self._end_survey(task, result)
            case Batch():
                self._end_batch(task, result)
            case _:
                self._end_part(*task, result)

    def _end_survey(self, unit: Unit, result: Any) -> None:
        self.report = replace(self.report, tasks=self.report.tasks + 1)
        if not isinstance(result, Survey):
            self._end_failed_survey(unit, as_error(result))
        elif result.is_too_large:
            self._stream = self._chained(self._stream, cut(self._streamed(unit), self.job.limits))
        else:
            self._units.extend(result.units)
            self._add(result.batches)
            for error in result.errors:
                self._note_error(error)

    def _end_failed_survey(self, unit: Unit, error: Error) -> None:
        self.window.note((error,))
        if error.is_temporary and unit.attempt + 1 < self.job.attempts:
            self._units.insert(0, replace(unit, attempt=unit.attempt + 1))  # after the others
        else:
            self._note_error(error.add_context(path=unit.directories[0]))

    def _streamed(self, unit: Unit) -> Iterator[Item]:
        """The files of a level. Its directories are surveyed like others."""
        for found in self.job.stream(unit):
            if isinstance(found, Unit):
                self._units.append(found)
            elif isinstance(found, Error):
                self._note_error(found)
            else:
                yield found

    @staticmethod
    def _chained(first: Iterator[Batch] | None, second: Iterator[Batch]) -> Iterator[Batch]:
        if first is not None:
            yield from first
        yield from second

    def _add(self, batches: tuple[Batch, ...]) -> None:
        self._batches.extend(batches)
        self.waiting = max(self.waiting, len(self._batches))
        self.report = replace(self.report, listed=self.report.listed + sum(batch.keys for batch in batches))

    def _end_batch(self, batch: Batch, result: Any) -> None:
        outcome = result if isinstance(result, Outcome) else _failed(batch, as_error(result))
        self.window.note(outcome.failures)
        again = [] if batch.attempt + 1 >= self.job.attempts else [e for e in outcome.failures if e.is_temporary]
        if again:
            self._batches.append(batch.rest(error.path or "" for error in again))
            final = tuple(error for error in outcome.failures if not error.is_temporary)
            outcome = replace(outcome, failures=final)
            self.report = replace(self.report, retried=self.report.retried + len(again))
        self.report = self.report.with_outcome(outcome, len(outcome.failures))

    def _end_part(self, parts: _Parts, number: int, result: Any) -> None:
        parts.in_flight -= 1
        if isinstance(result, BaseException):
            self._end_failed_part(parts, number, as_error(result))
        else:
            self.window.note(())
            self.report = replace(self.report, tasks=self.report.tasks + 1)
            parts.results.append(result)
        if parts.error is not None and not parts.in_flight:
            self._abort(parts, parts.error)
        elif len(parts.results) == len(parts.spread.numbers):
            self._complete(parts)

    def _end_failed_part(self, parts: _Parts, number: int, error: Error) -> None:
        self.window.note((error,))
        parts.tries[number] = parts.tries.get(number, 0) + 1
        if error.is_temporary and parts.tries[number] < self.job.attempts and parts.error is None:
            self._parts.append((parts, number))
            return
        parts.error = parts.error or error
        self._parts = deque(part for part in self._parts if part[0] is not parts)

    def _complete(self, parts: _Parts) -> None:
        try:
            outcome = parts.spread.complete(parts.results)
        except Error as error:
            self._abort(parts, error)
        else:
            self._spread.remove(parts)
            self._end_batch(parts.batch, outcome)

    def _abort(self, parts: _Parts, error: Error) -> None:
        self._spread.remove(parts)
        try:
            parts.spread.abort()
        except Error as abort_error:
            error.add_context(abort=abort_error.kind)
        self._end_batch(parts.batch, error)

    def _note_error(self, error: Error) -> None:
        self.report = replace(self.report, errors=(*self.report.errors, error))


def _failed(batch: Batch, error: Error) -> Outcome:
    """The outcome of a task that failed as a whole."""
    return Outcome(failures=tuple(about(error, item.path) for item in batch.items()))


def about(error: Error, path: str) -> Error:
    """A copy of an error that is about one object.

    Arguments:
        error: the error.
        path: the path of the object, relative to the tree.
    """
    mine = copy(error)
    mine.path = path
    return mine


def as_error(result: Any) -> Error:
    """The error of a task. Another exception is named by its class alone: its text may hold what nobody should read."""
    if isinstance(result, Error):
        return result
    return Unexpected(f"the task ended with {type(result).__name__}")
