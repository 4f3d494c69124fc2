"""What is known about an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .entry_mode import EntryMode


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
        user_metadata: what the user stored beside it, keys in lower case.
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
    user_metadata: Mapping[str, str] = field(default_factory=dict)

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
