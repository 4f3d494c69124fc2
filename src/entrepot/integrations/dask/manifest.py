"""The manifest of a run: one object for each task that ended, in JSON lines.

The first line is about the batch: `{"batch": id, "attempt": 0, "keys": 2}`. Each other line is about one object:
`{"path": ..., "size": ..., "etag": ..., "state": "done"}`. The etag is the one of the copy. The state is `"done"`,
`"skipped"` or `"failed"`; a failed one has `"error"` as well. Objects of the manifest are written once and never
changed, so that any number of workers write at the same time. Their names are `done/<id>-<attempt>.jsonl`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from entrepot import Error, NotFound, Operator, Unexpected
from entrepot.blocking import BlockingOperator

from .items import Batch

State: TypeAlias = Literal["done", "skipped", "failed"]

DONE: Final = "done/"
_SUFFIX: Final = ".jsonl"
_PAUSES: Final = (0.1, 0.5, 2.0)
"""Seconds before each further attempt to write."""


class ManifestDamaged(Unexpected):
    """An object of a manifest is damaged. A rerun copies its batch again."""


@dataclass(frozen=True, slots=True)
class Row:
    """The result for one object.

    Arguments:
        path: its path, relative to the tree.
        size: its size in bytes, if it is known.
        etag: the etag of the object in the target, if there is one.
        state: `"done"`, `"skipped"` or `"failed"`.
        error: why it failed.
    """

    path: str
    size: int | None
    etag: str | None
    state: State
    error: str | None = None


def written(batch: Batch, rows: Iterable[Row]) -> bytes:
    """The object of the manifest about a batch."""
    lines = [json.dumps({"batch": batch.id, "attempt": batch.attempt, "keys": batch.keys})]
    for row in rows:
        fields = {"path": row.path, "size": row.size, "etag": row.etag, "state": row.state}
        lines.append(json.dumps(fields if row.error is None else {**fields, "error": row.error}))
    return "\n".join([*lines, ""]).encode()


def rows_of(content: bytes) -> Iterator[Row]:
    """The rows of an object of the manifest.

    Raises:
        ManifestDamaged: the content is not such an object, or is truncated.
    """
    lines = content.splitlines()
    try:
        first = json.loads(lines[0])
        rows = [_row(json.loads(line)) for line in lines[1:]]
        is_whole = len(rows) == first["keys"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise ManifestDamaged("an object of the manifest is not JSON lines of this version") from None
    if not is_whole:
        raise ManifestDamaged("an object of the manifest is truncated")
    yield from rows


def _row(fields: dict[str, object]) -> Row:
    return Row(
        path=str(fields["path"]),
        size=fields["size"],  # type: ignore[arg-type]  # JSON has no types
        etag=fields["etag"],  # type: ignore[arg-type]
        state=fields["state"],  # type: ignore[arg-type]
        error=fields.get("error"),  # type: ignore[arg-type]
    )


async def record(state: Operator, batch: Batch, rows: Iterable[Row]) -> None:
    """Writes the object of a batch that was done. A temporary error costs another attempt, and not the whole batch.

    Arguments:
        state: the operator of the manifest, at its directory.
        batch: the batch.
        rows: one for each of its objects.
    """
    name, content = _name(batch), written(batch, rows)
    for pause in _PAUSES:
        try:
            await state.write(name, content)
        except Error as error:
            if not error.is_temporary:
                raise
            await asyncio.sleep(pause)
        else:
            return
    await state.write(name, content)


async def recorded(state: Operator, batch: Batch) -> dict[str, Row]:
    """The results of earlier runs for the objects of a batch, by path. A success outranks a failure.

    Arguments:
        state: the operator of the manifest.
        batch: the batch.
    """
    rows: dict[str, Row] = {}
    async for name in _names(state, batch.id):
        try:
            found = list(rows_of(await state.read(name)))
        except (NotFound, ManifestDamaged):  # copying again is always right
            continue
        rows |= {row.path: row for row in found if row.state != "failed"}
    return rows


async def _names(state: Operator, id_: str) -> AsyncIterator[str]:
    async with state.lister(f"{DONE}{id_}") as lister:
        async for entry in lister:
            if not entry.is_dir:
                yield entry.path


def write_rows(state: BlockingOperator, batch: Batch, rows: Iterable[Row]) -> None:
    """Writes the object of a batch that was done in this process. See `record`."""
    state.write(_name(batch), written(batch, rows))


def has_record(state: BlockingOperator, batch: Batch) -> bool:
    """Whether the manifest has an object about a batch."""
    return any(not entry.is_dir for entry in state.lister(f"{DONE}{batch.id}"))


def _name(batch: Batch) -> str:
    return f"{DONE}{batch.id}-{batch.attempt}{_SUFFIX}"


def read_manifest(state: BlockingOperator) -> Iterator[Row]:
    """Yields the results of all runs, task by task, in no order. An object of several attempts has several.

    Arguments:
        state: the operator of the manifest, at its directory: `target.at("b/.entrepot/").blocking()`.

    Raises:
        ManifestDamaged: an object of the manifest is damaged.
    """
    for entry in state.lister(DONE):
        if not entry.is_dir:
            yield from rows_of(state.read(entry.path))
