"""The options of the public operations as keyword arguments.

Generated from `raw/ops.py` by `python tools/generate_facade.py`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from .options import Path, Range


class PresignStatOptions(TypedDict, total=False):
    """Options of `presign_stat`: the options of `stat` that a presigned request can have."""

    version: str | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: datetime | None
    if_unmodified_since: datetime | None
    override_content_type: str | None
    override_content_disposition: str | None
    override_cache_control: str | None


class StatOptions(PresignStatOptions, total=False):
    """Options of `stat`; see `OpStat`."""


class PresignReadOptions(TypedDict, total=False):
    """Options of `presign_read`: the options of `read` that a presigned request can have."""

    range: Range
    version: str | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: datetime | None
    if_unmodified_since: datetime | None
    override_content_type: str | None
    override_content_disposition: str | None
    override_cache_control: str | None


class ReaderOptions(PresignReadOptions, total=False):
    """Options of `read` and `reader`; see `OpRead`."""

    chunk: int | None
    concurrent: int | None
    gap: int
    content_length_hint: int | None
    read_ahead: int | None


class PresignWriteOptions(TypedDict, total=False):
    """Options of `presign_write`: the options of `write` that a presigned request can have."""

    content_type: str | None
    content_disposition: str | None
    content_encoding: str | None
    content_language: str | None
    cache_control: str | None
    user_metadata: Mapping[str, str] | None
    tags: Mapping[str, str] | None
    storage_class: str | None
    acl: str | None
    retain_until: datetime | None
    legal_hold: bool
    if_match: str | None
    if_none_match: str | None
    if_not_exists: bool


class WriterOptions(PresignWriteOptions, total=False):
    """Options of `write` and `writer`; see `OpWrite`."""

    append: bool
    chunk: int | None
    concurrent: int | None
    content_length_hint: int | None


class PresignDeleteOptions(TypedDict, total=False):
    """Options of `presign_delete`: the options of `delete` that a presigned request can have."""

    version: str | None
    if_match: str | None


class DeleteOptions(PresignDeleteOptions, total=False):
    """Options of `delete`; see `OpDelete`."""

    recursive: bool


class ListerOptions(TypedDict, total=False):
    """Options of `list` and `lister`; see `OpList`."""

    recursive: bool
    start_after: Path | None
    versions: bool
    deleted: bool
    limit: int | None


class CopyOptions(TypedDict, total=False):
    """Options of `copy` and `copy_to`; see `OpCopy`."""

    if_not_exists: bool
    if_match: str | None
    source_version: str | None
    content_type: str | None
    content_disposition: str | None
    content_encoding: str | None
    content_language: str | None
    cache_control: str | None
    user_metadata: Mapping[str, str] | None
    tags: Mapping[str, str] | None
    storage_class: str | None
    acl: str | None
    chunk: int | None
    concurrent: int | None
    source_content_length_hint: int | None


class RenameOptions(TypedDict, total=False):
    """Options of `rename`; see `OpRename`."""

    if_not_exists: bool
