"""Collects deletions and makes them by one request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entrepot.errors import DeletionsFailed, Error
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.ops import OpDelete

from .api import Delete
from .deletions import Deletion, failures_of, of_deletion


class BatchDeleter(Delete):
    """Collects deletions, and makes them when a request is full, or on `close`.

    Failed deletions stay in the queue, and the next request tries them again; a caller that does not want that opens a
    new body. A single deletion is made by `delete_one`, which many services answer faster.

    Arguments:
        delete_one: deletes one path.
        delete_many: deletes many paths and returns the errors of the failed deletions, each with its `path`, and with
            the `version` in its `context` if the deletion named one.
        max_size: the most deletions of a request; with 1, deletions are not queued.
    """

    __slots__ = ("_delete_many", "_delete_one", "_is_closed", "_max_size", "_queue", "_taken")

    def __init__(
        self,
        delete_one: Callable[[str, OpDelete], Awaitable[None]],
        delete_many: Callable[[Sequence[Deletion]], Awaitable[Sequence[Error]]],
        max_size: int,
    ) -> None:
        self._delete_one = delete_one
        self._delete_many = delete_many
        self._max_size = max_size
        self._queue: list[Deletion] = []
        self._taken = 0
        self._is_closed = False

    async def delete(self, path: str, args: OpDelete) -> None:
        """Queues a deletion. If the queue already fills a request, makes that request first.

        Raises:
            DeletionsFailed: earlier deletions failed, some or all; this one was not queued.
        """
        check_not_closed(self._is_closed)
        if self._max_size <= 1:
            await self._delete_alone(path, args)
            return
        if len(self._queue) >= self._max_size:
            await self._flush()
        self._queue.append((path, args))
        self._taken += 1

    async def close(self) -> None:
        """Makes the deletions that are left.

        Raises:
            DeletionsFailed: some or all of them failed, and stay in the queue.
            Error: the error of the only deletion that this body ever took, which stays too.
        """
        await self._flush()
        self._is_closed = True

    async def _flush(self) -> None:
        if len(self._queue) == 1:
            await self._delete_last(*self._queue[0])
            self._queue.clear()
        elif self._queue:
            failures = await self._delete_together()
            self._queue = _left_of(self._queue, failures)
            if failures:
                raise DeletionsFailed.of(failures)

    async def _delete_together(self) -> Sequence[Error]:
        """Makes a request. An error of the whole request becomes one error for each of its deletions."""
        try:
            return await self._delete_many(tuple(self._queue))
        except Error as error:
            raise DeletionsFailed.of(failures_of(error, self._queue)) from error

    async def _delete_last(self, path: str, args: OpDelete) -> None:
        try:
            await self._delete_alone(path, args)
        except Error as error:
            if self._taken == 1:
                raise
            raise DeletionsFailed.of(failures_of(error, [(path, args)])) from error

    async def _delete_alone(self, path: str, args: OpDelete) -> None:
        try:
            await self._delete_one(path, args)
        except Error as error:
            of_deletion(error, path, args)
            raise


def _left_of(queue: list[Deletion], failures: Sequence[Error]) -> list[Deletion]:
    """Returns the failed deletions; all of them if an error does not name its deletion: deleting twice does no harm."""
    failed = {(failure.path, failure.context.get("version")) for failure in failures}
    left = [(path, args) for path, args in queue if (path, args.version) in failed]
    return left if len({(path, args.version) for path, args in left}) == len(failed) else queue
