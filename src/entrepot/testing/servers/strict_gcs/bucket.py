"""The objects of a bucket, their generations, and the conditions on them."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from itertools import count
from typing import Any, Final

_generations: Final = count(int(time.time() * 1_000_000))

DEFAULT_TYPE: Final = "application/octet-stream"


class Refused(Exception):
    """A response that is not a success.

    Arguments:
        status: its status.
        reason: the reason of the JSON API, and the code of the XML API after a slash.
        message: the message.
    """

    def __init__(self, status: int, reason: str, message: str = "refused") -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message


NOT_FOUND: Final = "notFound/NoSuchKey"
NO_BUCKET: Final = "notFound/NoSuchBucket"
NOT_MET: Final = "conditionNotMet/PreconditionFailed"
INVALID: Final = "invalid/InvalidArgument"


@dataclass
class StoredObject:
    """One generation of an object."""

    name: str
    content: bytes
    fields: dict[str, Any]
    is_composite: bool = False
    generation: int = field(default_factory=lambda: next(_generations))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    deleted: datetime | None = None

    @property
    def etag(self) -> str:
        """The etag in the JSON API, without quotes."""
        return b64encode(f"{self.generation}.1".encode()).decode()

    @property
    def crc32c(self) -> str:
        from awscrt.checksums import crc32c

        return b64encode(crc32c(self.content).to_bytes(4)).decode()

    @property
    def md5(self) -> str | None:
        """An object of parts has none."""
        return None if self.is_composite else b64encode(md5(self.content, usedforsecurity=False).digest()).decode()

    @property
    def resource(self) -> dict[str, Any]:
        """The object in the JSON API."""
        stated = {
            "kind": "storage#object",
            "name": self.name,
            "size": str(len(self.content)),
            "etag": self.etag,
            "generation": str(self.generation),
            "metageneration": "1",
            "crc32c": self.crc32c,
            "timeCreated": self.created.isoformat(),
            "updated": self.created.isoformat(),
            "contentType": DEFAULT_TYPE,
            "storageClass": "STANDARD",
            **self.fields,
        }
        stated |= {} if self.md5 is None else {"md5Hash": self.md5}
        return stated | ({} if self.deleted is None else {"timeDeleted": self.deleted.isoformat()})


@dataclass(frozen=True)
class Conditions:
    """The conditions of a request on generations; None is none.

    Arguments:
        match: the generation that the object must have; 0 is no object.
        not_match: the generation that it must not have.
        meta_match: the metageneration that it must have.
    """

    match: int | None = None
    not_match: int | None = None
    meta_match: int | None = None

    def check(self, current: StoredObject | None) -> None:
        """Refuses the request unless they hold."""
        generation = 0 if current is None else current.generation
        holds = (
            self.match in {None, generation}
            and (self.not_match is None or self.not_match != generation)
            and (self.meta_match is None or (current is not None and self.meta_match == 1))
        )
        if not holds:
            raise Refused(412, NOT_MET)


class Bucket:
    """A bucket.

    Arguments:
        is_versioned: whether replaced and deleted generations stay.
    """

    def __init__(self, *, is_versioned: bool = False) -> None:
        self._is_versioned = is_versioned
        self._generations: dict[str, list[StoredObject]] = {}

    def current(self, name: str) -> StoredObject | None:
        """The object that a request without a generation means."""
        live = [each for each in self._generations.get(name, ()) if each.deleted is None]
        return live[-1] if live else None

    def get(self, name: str, generation: str | None = None) -> StoredObject:
        """An object, or a generation of it."""
        if generation is None:
            found = self.current(name)
        else:
            number = _number(generation)
            found = next((each for each in self._generations.get(name, ()) if each.generation == number), None)
        if found is None:
            raise Refused(404, NOT_FOUND, f"No such object: {name}")
        return found

    def put(self, new: StoredObject, conditions: Conditions) -> StoredObject:
        """Stores an object."""
        _check_name(new.name)
        current = self.current(new.name)
        conditions.check(current)
        if current is not None:
            self._retire(current)
        self._generations.setdefault(new.name, []).append(new)
        return new

    def delete(self, name: str, generation: str | None, conditions: Conditions) -> None:
        """Deletes an object, or one generation of it for good."""
        if generation is None:
            current = self.current(name)
            conditions.check(current)
            self._retire(self.get(name))
        else:
            self._generations[name].remove(self.get(name, generation))

    def listed(self, *, versions: bool) -> Iterator[StoredObject]:
        """The objects in the order of their names, and of their generations."""
        for name in sorted(self._generations, key=str.encode):
            yield from (each for each in self._generations[name] if versions or each.deleted is None)

    def _retire(self, current: StoredObject) -> None:
        if self._is_versioned:
            current.deleted = datetime.now(UTC)
        else:
            self._generations[current.name].remove(current)


def conditions_of(values: Mapping[str, str], *names: str) -> Conditions:
    """The conditions in a query, or in headers, by their names there."""
    return Conditions(*(None if values.get(name) is None else _number(values[name]) for name in names))


def _number(text: str) -> int:
    if not text.isdigit():
        raise Refused(400, INVALID)
    return int(text)


def _check_name(name: str) -> None:
    if not 0 < len(name.encode()) <= 1024 or "\n" in name or "\r" in name or name in {".", ".."}:
        raise Refused(400, INVALID, "Invalid object name")
