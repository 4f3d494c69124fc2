"""What is known about an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .entry_mode import EntryMode


class _Unchanging(Mapping[str, str]):
    """A mapping of its own that nobody can change. Unlike a mapping proxy it can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


_NOTHING: Final = _Unchanging({})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the storage says about an object. A field that it does not say is None.

    Arguments:
        mode: file, directory, or unknown.
        content_length: the size of the whole object in bytes, also when a part of it was asked for.
        etag: the entity tag as the storage writes it, quotes included.
        last_modified: when it was last written, with a time zone.
        content_type: the media type.
        content_encoding: the encodings of the stored bytes, such as `"gzip"`. They are given back as stored.
        content_disposition: how a browser should present it.
        cache_control: how long others may keep it.
        content_md5: the MD5 of the content, base64.
        version: the version of a versioned object.
        is_current: whether this is the version that a read without one gives; None where it is not told.
        is_deleted: whether this version says that the object was deleted; it has no content.
        user_metadata: what the user stored beside it, keys in lower case. It is copied, and cannot be changed.
    """

    mode: EntryMode = EntryMode.FILE
    content_length: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    content_md5: str | None = None
    version: str | None = None
    is_current: bool | None = None
    is_deleted: bool = False
    user_metadata: Mapping[str, str] = _NOTHING

    def __post_init__(self) -> None:
        if type(self.user_metadata) is not _Unchanging:
            object.__setattr__(self, "user_metadata", _Unchanging(self.user_metadata))

    @property
    def is_file(self) -> bool:
        """Whether this is a file."""
        return self.mode is EntryMode.FILE

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return self.mode is EntryMode.DIR

    def is_same_content(self, other: Metadata) -> bool:
        """Whether both can describe the same bytes: by version or etag, else by what else both know."""
        for decisive in ("version", "etag"):
            if (same := _same_mark(self, other, decisive)) is not None:
                return same
        return all(_same_mark(self, other, mark) is not False for mark in ("last_modified", "content_length"))


def _same_mark(one: Metadata, other: Metadata, mark: str) -> bool | None:
    mine, theirs = getattr(one, mark), getattr(other, mark)
    return None if mine is None or theirs is None else bool(mine == theirs)
