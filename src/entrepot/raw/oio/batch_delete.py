"""Deletions that are collected and made by one request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entrepot.errors import DeletionsFailed, Error
from entrepot.raw.ops import OpDelete

from .delete import Delete
from .read import check_not_closed

Deletion = tuple[str, OpDelete]


class BatchDeleter(Delete):
    """Collects deletions, and makes them when there are as many as one request takes, or on `close`.

    What failed stays, and is tried again by the next request: a caller that wants no more of it takes a
    new body. A deletion that is alone goes by a request of its own, which many services answer faster.

    Arguments:
        delete_one: deletes one path.
        delete_many: deletes many and returns the errors of those that failed, each with its `path`, and the
            `version` in its `context` where one was asked for.
        max_size: how many deletions a request takes; with 1 none is held back.
    """

    __slots__ = ("_delete_many", "_delete_one", "_is_closed", "_max_size", "_queue")

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
        self._is_closed = False

    async def delete(self, path: str, args: OpDelete) -> None:
        """Takes a deletion, after those before it were made if they fill a request.

        Raises:
            DeletionsFailed: some of those before it failed; this one was not taken.
        """
        check_not_closed(self._is_closed)
        if self._max_size <= 1:
            await self._delete_alone(path, args)
            return
        if len(self._queue) >= self._max_size:
            await self._flush()
        self._queue.append((path, args))

    async def close(self) -> None:
        """Makes the deletions that are left.

        Raises:
            DeletionsFailed: some of them failed, and stay to be tried again.
        """
        await self._flush()
        self._is_closed = True

    async def _flush(self) -> None:
        if len(self._queue) == 1:
            await self._delete_alone(*self._queue[0])
            self._queue.clear()
        elif self._queue:
            failures = await self._delete_many(tuple(self._queue))
            self._queue = _left_of(self._queue, failures)
            if failures:
                raise DeletionsFailed.of(failures)

    async def _delete_alone(self, path: str, args: OpDelete) -> None:
        try:
            await self._delete_one(path, args)
        except Error as error:
            error.add_context(path=path)
            raise


def _left_of(queue: list[Deletion], failures: Sequence[Error]) -> list[Deletion]:
    """Those that failed; all of them if a failure does not say whose it is, for deleting twice does no harm."""
    failed = {(failure.path, failure.context.get("version")) for failure in failures}
    left = [(path, args) for path, args in queue if (path, args.version) in failed]
    return left if len({(path, args.version) for path, args in left}) == len(failed) else queue
