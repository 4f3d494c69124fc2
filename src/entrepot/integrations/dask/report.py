"""The report of a run over a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from entrepot import Error, TransfersFailed, TreeReport

KEPT_FAILURES: Final = 1_000
"""Failures that a report keeps. The manifest has all of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one task.

    Arguments:
        done: objects that were copied, deleted, hashed or listed.
        skipped: objects that were left as they are.
        size: the bytes of the objects that were done.
        failures: one error for each object that failed, with its path relative to the tree.
    """

    done: int = 0
    skipped: int = 0
    size: int = 0
    failures: tuple[Error, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """The result of a run. At its end, `done + skipped + failed` is `listed`.

    Arguments:
        listed: the objects that the listing of the source has.
        done: how many were copied, deleted, hashed or listed.
        size: their bytes.
        skipped: how many were left as they are: a rerun found them done, or the target has the same.
        failed: how many failed.
        deleted: how many objects of the target `sync_tree` deleted, because the source does not have them.
        tasks: tasks that ended, surveys of the source included.
        retried: objects that were tried again after a temporary error, once for each attempt.
        failures: one error for each object that failed, with its path; the first 1,000.
        errors: errors that are not about one object, such as a directory that could not be listed.
    """

    listed: int = 0
    done: int = 0
    size: int = 0
    skipped: int = 0
    failed: int = 0
    deleted: int = 0
    tasks: int = 0
    retried: int = 0
    failures: tuple[Error, ...] = field(default=(), repr=False)
    errors: tuple[Error, ...] = field(default=(), repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether every object was listed, and none failed."""
        return not self.failed and not self.errors

    def check(self) -> None:
        """Raises if something failed.

        Raises:
            TransfersFailed: objects failed, or directories could not be listed; `failures` has the errors.
        """
        if not self.is_complete:
            report = TreeReport(self.done, self.size, self.skipped, self.deleted)
            raise TransfersFailed.of((*self.errors, *self.failures), report)

    def with_outcome(self, outcome: Outcome, failed: int) -> ClusterReport:
        """Returns the report with one more task.

        Arguments:
            outcome: the result of the task.
            failed: how many of its failures are final; the others are tried again.
        """
        kept = (*self.failures, *outcome.failures[: max(0, KEPT_FAILURES - len(self.failures))]) if failed else None
        return replace(
            self,
            done=self.done + outcome.done,
            size=self.size + outcome.size,
            skipped=self.skipped + outcome.skipped,
            failed=self.failed + failed,
            tasks=self.tasks + 1,
            failures=self.failures if kept is None else kept,
        )


ReportRun: TypeAlias = Callable[[ClusterReport], object]
"""A `progress` function: it is called with the report so far, after each task, in the thread of the caller."""
