"""Tables about a tree, in Parquet: one file for each task."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from entrepot import Error, InvalidInput, Operator
from entrepot.integrations.extras import not_installed

from .items import Batch, Item
from .report import Outcome
from .survey import Tree
from .tasks import digest_of, each, pause_before, run_on_loop

_CODEC: Final = "zstd"


@dataclass(frozen=True, slots=True)
class Table:
    """Where the files of a table are written.

    Arguments:
        operator: the operator.
        path: the directory, with a trailing slash.
        algorithm: the digest that a table of checksums has; None for a listing.
        is_resumed: whether files of an earlier run are kept.
        concurrent: objects that one task reads at the same time.
    """

    operator: Operator
    path: str
    algorithm: str | None = None
    is_resumed: bool = False
    concurrent: int = 16

    def file_of(self, batch: Batch) -> str:
        """The path of the file about a batch."""
        prefix = "" if self.path == "/" else self.path
        return f"{prefix}part-{batch.id}-{batch.attempt}.parquet"


def check_parquet() -> None:
    """Checks that Parquet can be written.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise not_installed("pyarrow", error) from error


def check_algorithm(name: str) -> str:
    """Checks the name of a digest.

    Raises:
        InvalidInput: hashlib has no such digest, or one without a fixed length.
    """
    if name not in hashlib.algorithms_available or not hashlib.new(name, usedforsecurity=False).digest_size:
        raise InvalidInput(f"algorithm must be a digest that hashlib has, such as 'sha256', not {name!r}")
    return name


def run_table(tree: Tree, table: Table, batch: Batch) -> Outcome:
    """A task: writes the file about the objects of a batch, with their digests if the table has them."""
    return run_on_loop(_write(tree, table, batch), tree.operator, table.operator)


async def _write(tree: Tree, table: Table, batch: Batch) -> Outcome:
    await pause_before(batch)
    path = table.file_of(batch)
    if table.is_resumed and await table.operator.exists(path):
        return Outcome(skipped=batch.keys)
    items = batch.items()
    rows = [_row(item) for item in items]
    failures: tuple[Error, ...] = ()
    if table.algorithm is not None:
        rows, failures = await _digests(tree, table, items)
    if rows:
        await table.operator.write(path, await asyncio.to_thread(parquet_of, rows, table.algorithm))
    return Outcome(len(rows), 0, sum(row["size"] or 0 for row in rows), failures)


async def _digests(tree: Tree, table: Table, items: list[Item]) -> tuple[list[dict[str, Any]], tuple[Error, ...]]:
    algorithm = str(table.algorithm)
    results = await each(items, table.concurrent, lambda item: digest_of(tree.operator, tree.at(item.path), algorithm))
    failures = tuple(result for _, result in results if isinstance(result, Error))
    rows = [
        {**_row(item), "size": result[1], "digest": result[0]}
        for item, result in results
        if not isinstance(result, Error)
    ]
    return rows, failures


def _row(item: Item) -> dict[str, Any]:
    metadata = item.metadata()
    return {"path": item.path, "size": item.size, "etag": item.etag, "last_modified": metadata.last_modified}


def parquet_of(rows: list[dict[str, Any]], algorithm: str | None) -> bytes:
    """A file of Parquet with these rows.

    Arguments:
        rows: `path`, `size`, `etag`, `last_modified`, and `digest` if there is an algorithm.
        algorithm: the name of the column of the digests.
    """
    import pyarrow as pa
    from pyarrow import parquet

    fields = [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("etag", pa.string()),
        ("last_modified", pa.timestamp("us", tz=str(UTC))),
    ]
    if algorithm is not None:
        fields.append((algorithm, pa.string()))
        rows = [{**row, algorithm: row["digest"]} for row in rows]
    table = pa.Table.from_pylist(rows, schema=pa.schema(fields))
    content = io.BytesIO()
    parquet.write_table(table, content, compression=_CODEC)
    return content.getvalue()
