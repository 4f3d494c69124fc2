"""The objects of a tree, and the batches of them that are one task each. Pure.

Theory of operation. A listing streams through `cut`, which closes a batch when it has enough keys or bytes, or when
the CRC of the last path says so. The last rule makes the borders depend on the paths around them and not on the start
of the listing: a key that is added or deleted between two runs changes the batches up to the next such border, on
average `keys` / 2 objects further on, and the others keep their ids. The id of a batch is a digest of its objects as
the source lists them. So a batch with the same id has the same work, and the manifest finds it by its id.

A batch travels packed: the client and the scheduler hand it on and do not look into it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from entrepot import Entry, Metadata

KEYS: Final = 1_000
"""Objects of a batch, at most."""

BYTES: Final = 512 * 1024**2
"""Bytes of a batch, at most, unless one object has more."""

PART: Final = 64 * 1024**2
"""Bytes of a part of a large object."""

LARGE: Final = 1024**3
"""The size in bytes from which an object is spread over the workers by its parts."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Item(NamedTuple):
    """An object of a tree, as its listing describes it.

    Arguments:
        path: the path relative to the directory.
        size: the size in bytes, if the listing states it.
        etag: the etag, if the listing states it. A weak one is written as a strong one: fs states it of a file that
            changed just now.
        modified: the time of the last write in microseconds since 1970, if the listing states it.
    """

    path: str
    size: int | None = None
    etag: str | None = None
    modified: int | None = None

    @classmethod
    def of(cls, entry: Entry, prefix: str) -> Item:
        """Makes the item of an entry of a listing.

        Arguments:
            entry: the entry.
            prefix: the directory, which the path of the entry starts with.
        """
        metadata = entry.metadata
        written = metadata.last_modified
        modified = None if written is None else (written - _EPOCH) // _MICROSECOND
        etag = None if metadata.etag is None else metadata.etag.removeprefix("W/")
        return cls(entry.path[len(prefix) :], metadata.content_length, etag, modified)

    def metadata(self) -> Metadata:
        """The metadata of the object, as far as the item has it."""
        modified = None if self.modified is None else _EPOCH + self.modified * _MICROSECOND
        return Metadata(content_length=self.size, etag=self.etag, last_modified=modified)


@dataclass(frozen=True, slots=True)
class Limits:
    """How a tree is cut into tasks.

    Arguments:
        keys: objects of a batch, at most.
        size: bytes of a batch, at most, unless one object has more.
        large: the size in bytes from which an object is a batch of its own.
        probe: names that one survey lists before its directory is split.
        group: directories that one survey lists together, at most.
    """

    keys: int = KEYS
    size: int = BYTES
    large: int = LARGE
    probe: int = 10_000
    group: int = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """The objects of one task.

    Arguments:
        id: a digest of the objects as the source lists them.
        keys: how many they are.
        size: their bytes, as far as they are known.
        packed: the objects.
        attempt: how often the batch, or the one that it is a rest of, was tried before.
    """

    id: str
    keys: int
    size: int
    packed: bytes
    attempt: int = 0

    @classmethod
    def of(cls, items: list[Item]) -> Batch:
        """Packs objects, at least one."""
        text = json.dumps(items).encode()
        size = sum(item.size or 0 for item in items)
        return cls(_digest(items), len(items), size, zlib.compress(text, 1))

    def items(self) -> list[Item]:
        """Returns the objects."""
        return [Item(*fields) for fields in json.loads(zlib.decompress(self.packed))]

    def rest(self, paths: Iterable[str]) -> Batch:
        """Returns a batch of some of the objects, for the next attempt. It keeps the id.

        Arguments:
            paths: the paths of the objects.
        """
        chosen = set(paths)
        again = Batch.of([item for item in self.items() if item.path in chosen])
        return Batch(self.id, again.keys, again.size, again.packed, self.attempt + 1)


def cut(items: Iterable[Item], limits: Limits) -> Iterator[Batch]:
    """Cuts a listing into batches.

    Arguments:
        items: the objects, in the order of the listing.
        limits: the bounds of a batch.
    """
    batch: list[Item] = []
    size = 0
    for item in items:
        if item.size is not None and item.size >= limits.large:
            yield Batch.of([item])
            continue
        if batch and size + (item.size or 0) > limits.size:
            yield Batch.of(batch)
            batch, size = [], 0
        batch.append(item)
        size += item.size or 0
        if is_border(item.path, len(batch), limits.keys):
            yield Batch.of(batch)
            batch, size = [], 0
    if batch:
        yield Batch.of(batch)


def is_border(path: str, count: int, most: int) -> bool:
    """Whether a group of names ends after this one.

    Arguments:
        path: the last name of the group.
        count: how many names the group has.
        most: the most names of a group.
    """
    return count >= most or (most > 1 and zlib.crc32(path.encode("utf-8", "surrogatepass")) % most < _SHARE)


_SHARE: Final = 2
"""Of `most` names, how many are borders: groups have half of the most names, on average."""


def _digest(items: list[Item]) -> str:
    """The digest of objects. The time counts only where there is no etag: a copied file system has other times."""
    digest = hashlib.sha256()
    for item in items:
        state = item.modified if item.etag is None else item.etag
        digest.update(f"{item.path}\0{item.size}\0{state}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]
