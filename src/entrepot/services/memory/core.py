"""The table of objects, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from entrepot.errors import NotFound
from entrepot.types import EntryMode, Metadata


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The content of an object and what is known of it."""

    content: bytes
    metadata: Metadata


@dataclass(slots=True)
class Table:
    """Objects by key. One assignment replaces an object, so a reader has the old one or the new one."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    _revisions: count[int] = field(default_factory=lambda: count(1))

    def get(self, key: str) -> StoredObject:
        """The object of a key.

        Raises:
            NotFound: there is none.
        """
        try:
            return self.objects[key]
        except KeyError:
            raise NotFound("there is no such object") from None

    def put(self, key: str, content: bytes) -> Metadata:
        """Stores content under a key and returns what is known of it."""
        metadata = Metadata(
            content_length=len(content),
            etag=f'"{next(self._revisions):x}"',
            last_modified=datetime.now(UTC),
        )
        self.objects[key] = StoredObject(content, metadata)
        return metadata

    def stat(self, key: str) -> Metadata:
        """What is known of a key. A key that ends with a slash is a directory while objects lie in it.

        Raises:
            NotFound: there is no such object, or no object in such a directory.
        """
        if key.endswith("/") and any(other.startswith(key) for other in list(self.objects)):
            return Metadata(mode=EntryMode.DIR)
        return self.get(key).metadata
