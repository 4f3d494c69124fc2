"""The table of objects and their versions, pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
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

_changing: Final = RLock()
"""Held while a table is changed: for a few operations on a dict, so one does for all tables. A fork waits for it, so
that a child inherits neither a table that another thread was changing nor a lock that nobody will give back."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_changing.release)

_DESCRIPTIONS: Final = ("content_type", "content_disposition", "content_encoding", "cache_control", "user_metadata")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object: its content and what is known of it. A mark of a deletion is a version too."""

    content: bytes
    metadata: Metadata


_NEW: Final = StoredObject(b"", Metadata())
_DIRECTORY: Final = (Metadata(mode=EntryMode.DIR),)


@dataclass(slots=True)
class Table:
    """Objects by key. One assignment replaces all versions of an object, so a reader has the old or the new ones.

    Arguments:
        versioned: keep what is replaced or deleted.
        objects: the versions of each key, the newest last. Without `versioned` there is one.
    """

    versioned: bool = False
    objects: dict[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    _revisions: count[int] = field(default_factory=lambda: count(1))

    def get(self, key: str, version: str | None = None) -> StoredObject:
        """The object of a key, or that version of it.

        Raises:
            NotFound: there is none, or it is the mark of a deletion.
        """
        found = self._find(key, version)
        if found is None:
            raise NotFound("there is no such object" if version is None else "the object has no such version")
        return found

    def put(self, key: str, content: bytes, args: OpWrite = DEFAULT_WRITE) -> Metadata:
        """Stores content under a key and returns what is known of it.

        Raises:
            ConditionNotMatch: a condition does not hold for what is there.
        """
        with _changing:
            found = self._find(key)
            _check_target(found, args.if_not_exists, args.if_match, args.if_none_match)
            begun = found if args.append and found is not None else _NEW
            return self._keep(key, begun.content + content, _described(begun.metadata, args))

    def copy(self, source: str, target: str, args: OpCopy) -> Metadata:
        """Stores the object of one key, or that version of it, under another.

        Raises:
            NotFound: there is nothing to copy.
            ConditionNotMatch: a condition does not hold for what is at the target.
        """
        with _changing:
            found = self.get(source, args.source_version)
            _check_target(self._find(target), args.if_not_exists, args.if_match)
            return self._keep(target, found.content, found.metadata)

    def rename(self, source: str, target: str, args: OpRename) -> None:
        """Stores the object of one key under another and deletes it there. Errors are those of `copy`."""
        with _changing:
            self.copy(source, target, OpCopy(if_not_exists=args.if_not_exists))
            self.delete(source)

    def delete(self, key: str, version: str | None = None) -> None:
        """Deletes an object, of which a versioned table keeps the versions, or removes one version for good."""
        with _changing:
            if version is not None:
                self._replace(key, [one for one in self.objects.get(key, ()) if one.metadata.version != version])
            elif not self.versioned:
                self._replace(key, ())
            elif self._find(key) is not None:
                self._keep(key, b"", Metadata(is_deleted=True))

    def list(self, prefix: str, after: str, args: OpList) -> Iterator[tuple[str, Metadata]]:
        """What begins with the prefix and comes after a key, in the order of the keys.

        The keys are taken and sorted when the first is asked for, and what they hold is looked up when it is their
        turn: what appears meanwhile is not seen, what vanishes is left out, and it ends.
        """
        with _changing:
            keys = list(self.objects)
        found: Iterable[str] = sorted([key for key in keys if key.startswith(prefix)])
        if not args.recursive:
            found = _children(prefix, (key for key in found if self._versions(key, args)))
        for name in found:
            if name > after:
                is_level = not args.recursive and is_dir_path(name)
                for metadata in _DIRECTORY if is_level else self._versions(name, args):
                    yield name, metadata

    def _versions(self, key: str, args: OpList) -> Sequence[Metadata]:
        """What a listing tells of an object: its versions, newest first, or the current one."""
        history = self.objects.get(key, ())
        if not self.versioned:
            return [one.metadata for one in history]
        told = reversed(history) if args.versions else history[-1:]
        found = [one.metadata for one in told if args.deleted or not one.metadata.is_deleted]
        if args.versions:
            return found
        # It is the object that is listed, and not its current version; a mark is one.
        return [one if one.is_deleted else replace(one, version=None) for one in found]

    def _find(self, key: str, version: str | None = None) -> StoredObject | None:
        history = self.objects.get(key, ())
        asked = history[-1:] if version is None else (one for one in history if one.metadata.version == version)
        return next((one for one in asked if not one.metadata.is_deleted), None)

    def _keep(self, key: str, content: bytes, described: Metadata) -> Metadata:
        """Makes a new version of an object."""
        revision = f"{next(self._revisions):x}"
        metadata = Metadata(
            mode=EntryMode.DIR if is_dir_path(key) else EntryMode.FILE,
            content_length=len(content),
            etag=f'"{revision}"',
            last_modified=datetime.now(UTC),
            content_type=described.content_type,
            content_encoding=described.content_encoding,
            content_disposition=described.content_disposition,
            cache_control=described.cache_control,
            version=revision if self.versioned else None,
            is_current=True,
            is_deleted=described.is_deleted,
            user_metadata=described.user_metadata,
        )
        older = self.objects.get(key, ()) if self.versioned else ()
        self._replace(key, [*older, StoredObject(content, metadata)])
        return metadata

    def _replace(self, key: str, history: Sequence[StoredObject]) -> None:
        if history:
            self.objects[key] = (*(_placed(one, False) for one in history[:-1]), _placed(history[-1], True))
        else:
            self.objects.pop(key, None)


def _placed(version: StoredObject, is_current: bool) -> StoredObject:
    if version.metadata.is_current is is_current:
        return version
    return replace(version, metadata=replace(version.metadata, is_current=is_current))


def _described(known: Metadata, args: OpWrite) -> Metadata:
    """What was known before the write, with what the write says."""
    said = {name: value for name in _DESCRIPTIONS if (value := getattr(args, name)) is not None}
    return replace(known, **said) if said else known


def _check_target(
    found: StoredObject | None, if_not_exists: bool, if_match: str | None, if_none_match: str | None = None
) -> None:
    if found is not None:
        if if_not_exists:
            raise ObjectExists("if_not_exists does not hold: there is such an object")
        check_conditions(found.metadata, OpStat(if_match=if_match, if_none_match=if_none_match))
    elif if_match is not None:
        raise ConditionNotMatch("if_match does not hold: there is no such object")


def _children(prefix: str, keys: Iterable[str]) -> Iterable[str]:
    """The keys, those that lie deeper folded into the directories that they lie in, each once."""
    ends = ((key, key.find("/", len(prefix)) + 1) for key in keys)
    return dict.fromkeys(key[:end] if end else key for key, end in ends)
