"""The tasks, as they run in a thread of a worker: each has an event loop of its own.

Theory of operation. A task has a batch of objects and works on `concurrent` of them at the same time. Its loop and its
connections end with it, so that a task which is cancelled or whose worker dies leaves nothing. Every write is all or
nothing and can be made again, so a task can be run again by another worker. A task returns its failures and raises
none, so that one object does not stop the others.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar

from entrepot import DeletionsFailed, Error, Metadata, Operator
from entrepot.types.comparison import COMPARISONS
from entrepot.types.file_names import check_file_names
from entrepot.types.transfers import TreeComparison

from . import manifest
from .items import Batch, Item, Limits
from .manifest import Row
from .report import Outcome
from .schedule import about
from .survey import Survey, Tree, Unit, survey

T = TypeVar("T")

Verification: TypeAlias = Literal["size", "etag", "checksum"]
"""How a rerun compares an object that it has done before with the one in the target."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Copying:
    """How the objects of a tree are copied.

    Arguments:
        source: the tree.
        target: the directory of the copies.
        state: the operator of the manifest; None if none is kept.
        is_rerun: whether the manifest has objects already.
        verify: how an object that is done is compared with the one in the target.
        compare: how files that the target has already are compared, to skip those that are the same; None copies all.
        concurrent: objects in flight in one task.
    """

    source: Tree
    target: Tree
    state: Operator | None
    is_rerun: bool = False
    verify: Verification = "etag"
    compare: TreeComparison | None = None
    concurrent: int = 16

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators whose connections a task closes."""
        state = () if self.state is None else (self.state,)
        return self.source.operator, self.target.operator, *state


def run_survey(tree: Tree, limits: Limits, unit: Unit) -> Survey:
    """A task: surveys a unit."""
    return run_on_loop(_survey(tree, limits, unit), tree.operator)


def run_copy(copying: Copying, batch: Batch) -> Outcome:
    """A task: copies the objects of a batch, except those that are done."""
    return run_on_loop(copy_batch(copying, batch), *copying.operators)


def run_delete(tree: Tree, batch: Batch) -> Outcome:
    """A task: deletes the objects of a batch."""
    return run_on_loop(_delete(tree, batch), tree.operator)


def run_prune(source: Tree, target: Tree, batch: Batch) -> Outcome:
    """A task: deletes those objects of a batch of the target that the source does not have."""
    return run_on_loop(_prune(source, target, batch), source.operator, target.operator)


def run_on_loop(call: Coroutine[Any, Any, T], *operators: Operator) -> T:
    """Runs a call on a loop of its own, and closes the connections of its operators.

    Arguments:
        call: the call.
        operators: the operators that it uses.
    """

    async def main() -> T:
        async with AsyncExitStack() as stack:
            for operator in operators:
                stack.push_async_callback(operator.close)
            return await call

    return asyncio.run(main())


async def each(
    items: Iterable[Item], concurrent: int, work: Callable[[Item], Awaitable[T]]
) -> list[tuple[Item, T | Error]]:
    """Works on items, some at the same time, and returns the result or the error of each, in order.

    Arguments:
        items: the items.
        concurrent: how many at the same time.
        work: does the work of one.
    """
    waiting = iter(enumerate(items))
    results: dict[int, tuple[Item, T | Error]] = {}

    async def take() -> None:
        for number, item in waiting:
            try:
                results[number] = item, await work(item)
            except Error as error:
                results[number] = item, about(error, item.path)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrent):
            group.create_task(take())
    return [results[number] for number in sorted(results)]


async def pause_before(task: Batch | Unit) -> None:
    """Waits before another attempt: longer with each."""
    if task.attempt:
        await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**task.attempt))


async def _survey(tree: Tree, limits: Limits, unit: Unit) -> Survey:
    await pause_before(unit)
    return await survey(tree, unit, limits)


async def copy_batch(copying: Copying, batch: Batch) -> Outcome:
    """Copies the objects of a batch, and records the result of each."""
    await pause_before(batch)
    items = batch.items()
    known = await _known(copying, batch, items)
    missing = [item for item in items if item.path not in known]
    results = await each(missing, copying.concurrent, lambda item: copy_one(copying, item))
    rows = [*known.values(), *(_row(item, result) for item, result in results)]
    failures = tuple(result for _, result in results if isinstance(result, Error))
    copied = [(item, result) for item, result in results if not isinstance(result, Error)]
    if copying.state is not None:
        await manifest.record(copying.state, batch, rows)
    size = sum(result.content_length or item.size or 0 for item, result in copied)
    return Outcome(len(copied), len(known), size, failures)


async def copy_one(copying: Copying, item: Item) -> Metadata:
    """Copies one object, and returns the metadata of the copy."""
    source, target = copying.source, copying.target
    if target.operator.info.native_capability.create_dir:
        check_file_names(item.path)
    copied = await source.operator.copy_to(
        target.operator, source.at(item.path), target.at(item.path), concurrent=2, source_content_length_hint=item.size
    )
    return copied.metadata


async def _known(copying: Copying, batch: Batch, items: list[Item]) -> dict[str, Row]:
    """The objects of a batch that need no copy, by path."""
    if copying.compare is not None:
        return await _same(copying, items, copying.compare)
    if copying.state is None or not copying.is_rerun:
        return {}
    rows = await manifest.recorded(copying.state, batch)
    done = [item for item in items if item.path in rows]
    paths = [copying.target.at(item.path) for item in done]
    found = await copying.target.operator.stat_many(paths, concurrent=copying.concurrent) if done else []
    kept = [item for item, metadata in zip(done, found, strict=True) if _is_kept(copying, rows[item.path], metadata)]
    if copying.verify == "checksum":
        results = await each(kept, copying.concurrent, lambda item: _has_same_content(copying, item))
        kept = [item for item, is_same_content in results if is_same_content is True]
    return {item.path: Row(item.path, item.size, rows[item.path].etag, "skipped") for item in kept}


async def _same(copying: Copying, items: list[Item], compare: TreeComparison) -> dict[str, Row]:
    """The objects that the target has already."""
    paths = [copying.target.at(item.path) for item in items]
    found = await copying.target.operator.stat_many(paths, concurrent=copying.concurrent)
    is_equal = COMPARISONS["size" if compare == "content" else compare]
    there = {
        item: metadata
        for item, metadata in zip(items, found, strict=True)
        if metadata is not None and is_equal(item.metadata(), metadata)
    }
    if compare == "content":
        results = await each(there, copying.concurrent, lambda item: _has_same_content(copying, item))
        there = {item: there[item] for item, is_equal_content in results if is_equal_content is True}
    return {item.path: Row(item.path, item.size, metadata.etag, "skipped") for item, metadata in there.items()}


def _is_kept(copying: Copying, row: Row, found: Metadata | None) -> bool:
    """Whether the target still has the object of the manifest."""
    if found is None or (row.size is not None and found.content_length != row.size):
        return False
    if copying.verify != "etag" or row.etag is None or found.etag is None:
        return True
    return row.etag.removeprefix("W/") == found.etag.removeprefix("W/")


async def _has_same_content(copying: Copying, item: Item) -> bool:
    """Whether source and target have the same SHA-256. Both are read."""
    source, target = copying.source, copying.target
    digests = [
        await digest_of(source.operator, source.at(item.path), "sha256"),
        await digest_of(target.operator, target.at(item.path), "sha256"),
    ]
    return digests[0] == digests[1]


async def digest_of(operator: Operator, path: str, algorithm: str) -> tuple[str, int]:
    """The digest of an object in hexadecimal, and its size. It is read once, in pieces.

    Arguments:
        operator: the operator.
        path: the object.
        algorithm: a name that `hashlib` knows.
    """
    digest, size = hashlib.new(algorithm, usedforsecurity=False), 0
    async with aclosing(_pieces(operator, path)) as pieces:
        async for piece in pieces:
            size += len(piece)
            if len(piece) > _INLINE:
                await asyncio.to_thread(digest.update, piece)
            else:
                digest.update(piece)
    return digest.hexdigest(), size


_INLINE: Final = 64 * 1024
"""Bytes that are hashed in the event loop: more take longer than a call of a thread."""


async def _pieces(operator: Operator, path: str) -> AsyncGenerator[bytes, None]:
    async with operator.reader(path, chunk=8 * 1024**2, concurrent=2) as reader:
        async for piece in reader:
            yield piece


def _row(item: Item, result: Metadata | Error) -> Row:
    if isinstance(result, Error):
        return Row(item.path, item.size, None, "failed", f"{result.kind}: {result.message}")
    size = item.size if result.content_length is None else result.content_length
    return Row(item.path, size, result.etag, "done")


async def _delete(tree: Tree, batch: Batch) -> Outcome:
    await pause_before(batch)
    return await _delete_items(tree, batch.items())


async def _prune(source: Tree, target: Tree, batch: Batch) -> Outcome:
    await pause_before(batch)
    items = batch.items()
    found = await source.operator.stat_many([source.at(item.path) for item in items], concurrent=16)
    surplus = [item for item, metadata in zip(items, found, strict=True) if metadata is None]
    outcome = await _delete_items(target, surplus)
    return Outcome(outcome.done, len(items) - len(surplus), outcome.size, outcome.failures)


async def _delete_items(tree: Tree, items: list[Item]) -> Outcome:
    failures: tuple[Error, ...] = ()
    try:
        await tree.operator.delete_many([tree.at(item.path) for item in items])
    except DeletionsFailed as failed:
        failures = tuple(about(error, (error.path or "")[len(tree.prefix) :]) for error in failed.failures)
    wrong = {error.path for error in failures}
    deleted = [item for item in items if item.path not in wrong]
    return Outcome(len(deleted), 0, sum(item.size or 0 for item in deleted), failures)
