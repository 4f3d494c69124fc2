"""The table of objects and their versions. Pure: no I/O and no waiting.

A table maps each key to the versions of its object, oldest first. Each change replaces the tuple of versions by one
assignment, so that a reader in another thread sees the old versions or the new ones. Changes that look first, such as
a write under a condition, hold the lock from the look to the assignment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from typing import Final

from entrepot.errors import ConditionNotMatch, NotFound, ObjectExists
from entrepot.raw.conditions import check_conditions
from entrepot.raw.ops import DEFAULT_WRITE, OpCopy, OpList, OpRename, OpStat, OpWrite
from entrepot.raw.path import is_dir_path
from entrepot.types import EntryMode, Metadata
from entrepot.types.frozen_mapping import EMPTY, FrozenMapping

_changing: Final = RLock()
"""Held during a change of any table, which is a few operations on a dict. A fork waits for it: a child inherits neither
a half-changed table nor a lock that no thread of its own will release."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_changing.release)

_DESCRIPTIONS: Final = (
    "content_type",
    "content_disposition",
    "content_encoding",
    "content_language",
    "cache_control",
    "user_metadata",
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object: its content, metadata and tags. The marker of a deletion is a version as well."""

    content: bytes
    metadata: Metadata
    tags: Mapping[str, str] = EMPTY


_EMPTY: Final = StoredObject(b"", Metadata())
_DIRECTORY: Final = (Metadata(mode=EntryMode.DIR),)


@dataclass(slots=True)
class Table:
    """Objects by key.

    Arguments:
        versioned: keep replaced and deleted objects as versions.
        objects: the versions of each key, oldest first. Without `versioned` each key has one.
    """

    versioned: bool = False
    objects: dict[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    _revisions: Iterator[int] = field(default_factory=lambda: count(1))

    def get(self, key: str, version: str | None = None) -> StoredObject:
        """The current version of an object, or the named one.

        Raises:
            NotFound: the object or the version does not exist, or is the marker of a deletion.
        """
        stored = self._find(key, version)
        if stored is None:
            raise NotFound("there is no such object" if version is None else "the object has no such version")
        return stored

    def put(self, key: str, content: bytes, args: OpWrite = DEFAULT_WRITE) -> Metadata:
        """Stores an object and returns its metadata.

        Raises:
            ConditionNotMatch: the current object does not meet a condition.
        """
        with _changing:
            current = self._find(key)
            _check_target(current, args.if_not_exists, args.if_match, args.if_none_match)
            base = current if args.append and current is not None else _EMPTY
            tags = base.tags if args.tags is None else FrozenMapping(args.tags)
            return self._add_version(key, base.content + content, _described(base.metadata, args), tags)

    def copy(self, source: str, target: str, args: OpCopy) -> Metadata:
        """Stores the object of one key, or its named version, under another key.

        Raises:
            NotFound: the object or the version does not exist.
            ConditionNotMatch: the object at the target does not meet a condition.
        """
        with _changing:
            stored = self.get(source, args.source_version)
            _check_target(self._find(target), args.if_not_exists, args.if_match)
            tags = stored.tags if args.tags is None else args.tags
            return self._add_version(target, stored.content, _described(stored.metadata, args.to_write()), tags)

    def rename(self, source: str, target: str, args: OpRename) -> None:
        """Moves an object to another key. Raises the errors of `copy`."""
        with _changing:
            self.copy(source, target, OpCopy(if_not_exists=args.if_not_exists))
            self.delete(source)

    def delete(self, key: str, version: str | None = None, if_match: str | None = None) -> None:
        """Deletes an object, or one version for good. A versioned table adds a marker and keeps the older versions.

        Raises:
            ConditionNotMatch: the object, or the version, has another etag or does not exist.
        """
        with _changing:
            _check_target(self._find(key, version), if_not_exists=False, if_match=if_match)
            if version is not None:
                self._replace(key, [old for old in self.objects.get(key, ()) if old.metadata.version != version])
            elif not self.versioned:
                self._replace(key, ())
            elif self._find(key) is not None:
                self._add_version(key, b"", Metadata(is_deleted=True))

    def set_tags(self, key: str, tags: Mapping[str, str], version: str | None = None) -> None:
        """Replaces the tags of an object, or of one version.

        Raises:
            NotFound: the object or the version does not exist.
        """
        with _changing:
            stored = self.get(key, version)
            tagged = replace(stored, tags=FrozenMapping(tags))
            self._replace(key, [tagged if old is stored else old for old in self.objects[key]])

    def list(self, prefix: str, after: str, args: OpList) -> Iterator[tuple[str, Metadata]]:
        """The entries that start with the prefix and follow a key, in the order of their keys.

        The keys are collected and sorted with the first entry, their objects looked up one by one. An object that is
        written later is not listed, one that is deleted by then is left out.
        """
        with _changing:
            keys = list(self.objects)
        names: Iterable[str] = sorted([key for key in keys if key.startswith(prefix)])
        if not args.recursive:
            names = _children(prefix, (key for key in names if self._listed(key, args)))
        for name in names:
            if name > after:
                is_directory = not args.recursive and is_dir_path(name)
                for metadata in _DIRECTORY if is_directory else self._listed(name, args):
                    yield name, metadata

    def _listed(self, key: str, args: OpList) -> Sequence[Metadata]:
        """The metadata that a listing has for an object: of all versions, newest first, or of the current one."""
        history = self.objects.get(key, ())
        if not self.versioned:
            return [stored.metadata for stored in history]
        versions = reversed(history) if args.versions else history[-1:]
        listed = [stored.metadata for stored in versions if args.deleted or not stored.metadata.is_deleted]
        if args.versions:
            return listed
        # Such an entry stands for the object, not for its current version. A marker has no object to stand for.
        return [metadata if metadata.is_deleted else replace(metadata, version=None) for metadata in listed]

    def _find(self, key: str, version: str | None = None) -> StoredObject | None:
        history = self.objects.get(key, ())
        matching = history[-1:] if version is None else (old for old in history if old.metadata.version == version)
        return next((stored for stored in matching if not stored.metadata.is_deleted), None)

    def _add_version(self, key: str, content: bytes, described: Metadata, tags: Mapping[str, str] = EMPTY) -> Metadata:
        revision = f"{next(self._revisions):x}"
        metadata = Metadata(
            mode=EntryMode.DIR if is_dir_path(key) else EntryMode.FILE,
            content_length=len(content),
            etag=f'"{revision}"',
            last_modified=datetime.now(UTC),
            content_type=described.content_type,
            content_encoding=described.content_encoding,
            content_language=described.content_language,
            content_disposition=described.content_disposition,
            cache_control=described.cache_control,
            version=revision if self.versioned else None,
            is_current=True,
            is_deleted=described.is_deleted,
            user_metadata=described.user_metadata,
        )
        older = self.objects.get(key, ()) if self.versioned else ()
        self._replace(key, [*older, StoredObject(content, metadata, tags)])
        return metadata

    def _replace(self, key: str, history: Sequence[StoredObject]) -> None:
        if history:
            self.objects[key] = (*(_with_current(old, False) for old in history[:-1]), _with_current(history[-1], True))
        else:
            self.objects.pop(key, None)


def _with_current(stored: StoredObject, is_current: bool) -> StoredObject:
    if stored.metadata.is_current is is_current:
        return stored
    return replace(stored, metadata=replace(stored.metadata, is_current=is_current))


def _described(metadata: Metadata, args: OpWrite) -> Metadata:
    """The metadata, with each description that the write sets."""
    set_by_write = {name: value for name in _DESCRIPTIONS if (value := getattr(args, name)) is not None}
    return replace(metadata, **set_by_write) if set_by_write else metadata


def _check_target(
    current: StoredObject | None, if_not_exists: bool, if_match: str | None, if_none_match: str | None = None
) -> None:
    if current is not None:
        if if_not_exists:
            raise ObjectExists("if_not_exists does not hold: the object exists")
        check_conditions(current.metadata, OpStat(if_match=if_match, if_none_match=if_none_match))
    elif if_match is not None:
        raise ConditionNotMatch("if_match does not hold: there is no such object")


def _children(prefix: str, keys: Iterable[str]) -> Iterable[str]:
    """The keys of one level, each once. A deeper key becomes the directory of this level that contains it."""
    ends = ((key, key.find("/", len(prefix)) + 1) for key in keys)
    return dict.fromkeys(key[:end] if end else key for key, end in ends)
