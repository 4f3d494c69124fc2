"""A large object, spread over the workers by its parts.

Theory of operation. The client starts an upload, the workers read ranges of the source and send them as parts, and the
client completes it. Each range names the etag of the source, so that all parts are of one content. Of a source without
such a condition, the metadata at the end must be those at the start. The state of the upload is in the manifest:

- `large/<id>/upload.json`: the id of the upload and the size of the parts, written before the first part is sent;
- `large/<id>/<number>.json`: a part that is stored, written by the worker that sent it.

So the next run continues the upload with the parts that are missing. An upload that failed for good is aborted, and
its records are deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from entrepot import Entry, Metadata, NotFound, Operator, Part, Unexpected
from entrepot.blocking import BlockingOperator

from .items import Batch, Item
from .manifest import Row, has_record, write_rows
from .report import Outcome
from .tasks import Copying, run_on_loop

MAX_PARTS: Final = 10_000
RECORDS: Final = "large/"
_MIB: Final = 1024**2
_HEADERS: Final = (
    "content_type", "content_disposition", "content_encoding", "content_language", "cache_control", "user_metadata",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LargeObject:
    """The arguments of a worker that sends parts.

    Arguments:
        copying: the source and the target.
        item: the object.
        etag: the etag that each range requires; None if the source has no such condition.
        upload: the id of the upload.
        part: bytes of a part, except the last one.
        records: the directory of the records of the upload in the manifest.
    """

    copying: Copying
    item: Item
    etag: str | None
    upload: str
    part: int
    records: str


def part_size(size: int, part: int, least: int) -> int:
    """The size of the parts of an object.

    Arguments:
        size: the bytes of the object.
        part: the wanted size.
        least: the smallest size that the service takes.
    """
    needed = -(-size // MAX_PARTS)
    return max(part, least, -(-needed // _MIB) * _MIB)


def part_count(size: int, part: int) -> int:
    """How many parts an object has."""
    return max(1, -(-size // part))


def run_part(large: LargeObject, number: int) -> Part:
    """A task: sends one part, and records it."""
    return run_on_loop(_send(large, number), *large.copying.operators)


async def _send(large: LargeObject, number: int) -> Part:
    copying, path = large.copying, large.item.path
    start = (number - 1) * large.part
    stop = min(start + large.part, large.item.size or 0)
    content = await copying.source.operator.read(
        copying.source.at(path), range=(start, stop), if_match=large.etag, chunk=8 * _MIB, concurrent=2
    )
    if len(content) != stop - start:
        raise Unexpected("the source changed during the copy: a range has another length", is_temporary=False)
    part = await copying.target.operator.upload_part(copying.target.at(path), large.upload, number, content)
    if copying.state is not None:
        await copying.state.write(f"{large.records}{number}.json", json.dumps(asdict(part)).encode())
    return part


@dataclass(slots=True)
class SpreadObject:
    """A large object in the client, from its start to its end.

    Arguments:
        large: the arguments of the workers.
        batch: its batch.
        source: the metadata of the source at the start.
        sent: the parts that an earlier run has sent.
    """

    large: LargeObject
    batch: Batch
    source: Metadata
    sent: list[Part] = field(default_factory=list)

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the parts that are still to be sent."""
        there = {part.number for part in self.sent}
        count = part_count(self.large.item.size or 0, self.large.part)
        return [number for number in range(1, count + 1) if number not in there]

    def task(self, number: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The function that sends a part, and its arguments."""
        return run_part, (self.large, number)

    def complete(self, results: Sequence[Any]) -> Outcome:
        """Makes the object of its parts, and records it.

        Raises:
            Unexpected: the source has changed since the start.
        """
        self._check_source()
        copying, item = self.large.copying, self.large.item
        target = copying.target.operator.blocking()
        made = target.complete_upload(copying.target.at(item.path), self.large.upload, [*self.sent, *results])
        self._record(Row(item.path, item.size, made.etag, "done"))
        return Outcome(done=1, size=item.size or 0)

    def abort(self) -> None:
        """Drops the parts."""
        copying = self.large.copying
        copying.target.operator.blocking().abort_upload(copying.target.at(self.large.item.path), self.large.upload)
        self._forget()

    def leave(self) -> None:
        """Ends the work of this run, which stops early. Without a manifest the parts are dropped."""
        if self.large.copying.state is None:
            self.abort()

    def _check_source(self) -> None:
        """Checks the source of which no range could name the etag."""
        source = self.large.copying.source
        if self.large.etag is None:
            metadata = source.operator.blocking().stat(source.at(self.large.item.path))
            if not metadata.is_same_content(self.source):
                raise Unexpected("the source changed during the copy", is_temporary=False)

    def _record(self, row: Row) -> None:
        if self.large.copying.state is not None:
            write_rows(self.large.copying.state.blocking(), self.batch, [row])
            self._forget()

    def _forget(self) -> None:
        if self.large.copying.state is not None:
            self.large.copying.state.blocking().delete(self.large.records, recursive=True)


@dataclass(frozen=True, slots=True)
class Spreader:
    """Decides which batches are spread, and starts or continues their uploads.

    Arguments:
        copying: the source and the target.
        least: the size in bytes from which an object is spread.
        part: bytes of a part.
        is_server_side: whether the store copies objects itself, so that nothing is spread.
    """

    copying: Copying
    least: int
    part: int
    is_server_side: bool = False

    def __call__(self, batch: Batch) -> SpreadObject | None:
        """Prepares a batch of one large object; None for a batch that is one task.

        Raises:
            Error: the storage refuses to start the upload.
        """
        capability = self.copying.target.operator.info.capability
        if batch.keys != 1 or batch.size < self.least or self.is_server_side or not capability.shared_upload:
            return None
        (item,) = batch.items()
        if self._may_be_done(batch, item):  # the task of the batch finds out whether it is
            return None
        metadata = self.copying.source.operator.blocking().stat(self.copying.source.at(item.path))
        large, sent = self._continued(batch, item, metadata) or (self._started(batch, item, metadata), [])
        return SpreadObject(large, batch, metadata, sent)

    def _may_be_done(self, batch: Batch, item: Item) -> bool:
        """Whether the target, or the manifest, has the object already."""
        copying = self.copying
        if copying.compare is not None:
            target = copying.target
            (found,) = target.operator.blocking().stat_many([target.at(item.path)])
            return found is not None and found.content_length == item.size
        return copying.state is not None and copying.is_rerun and has_record(copying.state.blocking(), batch)

    def _started(self, batch: Batch, item: Item, metadata: Metadata) -> LargeObject:
        target, copying = self.copying.target, self.copying
        capability = target.operator.info.capability
        size = part_size(item.size or 0, self.part, capability.write_multi_min_size or 1)
        upload = target.operator.blocking().start_upload(target.at(item.path), **_options(metadata, target.operator))
        large = LargeObject(copying, item, self._etag(metadata), upload, size, f"{RECORDS}{batch.id}/")
        if copying.state is not None:
            record = {"upload": upload, "part": size, "etag": large.etag}
            copying.state.blocking().write(f"{large.records}upload.json", json.dumps(record).encode())
        return large

    def _continued(self, batch: Batch, item: Item, metadata: Metadata) -> tuple[LargeObject, list[Part]] | None:
        """The upload of an earlier run, if the source is the same."""
        if self.copying.state is None or not self.copying.is_rerun:
            return None
        state, records = self.copying.state.blocking(), f"{RECORDS}{batch.id}/"
        try:
            record = json.loads(state.read(f"{records}upload.json"))
            upload, size, etag = str(record["upload"]), int(record["part"]), record["etag"]
        except (NotFound, ValueError, KeyError, TypeError):
            return None
        if etag != self._etag(metadata) or not self._is_there(item, upload):
            state.delete(records, recursive=True)
            return None
        large = LargeObject(self.copying, item, etag, upload, size, records)
        return large, list(_parts(state, records))

    def _is_there(self, item: Item, upload: str) -> bool:
        """Whether the storage still has an upload."""
        target = self.copying.target
        path = target.at(item.path)
        return any(found.id == upload for found in target.operator.blocking().list_uploads(path) if found.path == path)

    def _etag(self, metadata: Metadata) -> str | None:
        has_condition = self.copying.source.operator.info.capability.read_with_if_match
        return metadata.etag if has_condition and not metadata.has_weak_etag else None


def _parts(state: BlockingOperator, records: str) -> list[Part]:
    names = [entry.path for entry in state.lister(records) if _is_part(entry)]
    return [part for name in names if (part := _part_in(state.read(name))) is not None]


def _part_in(content: bytes) -> Part | None:
    """The part of a record; None if it cannot be read, so that the part is sent again."""
    try:
        return Part(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _is_part(entry: Entry) -> bool:
    return entry.is_file and entry.name.removesuffix(".json").isdigit()


def _options(metadata: Metadata, target: Operator) -> dict[str, Any]:
    """The headers and the user metadata of the source that the target can store."""
    capability = target.info.capability
    stated = {name: getattr(metadata, name) for name in _HEADERS if getattr(capability, f"write_with_{name}")}
    return {name: dict(value) if name == "user_metadata" else value for name, value in stated.items() if value}
