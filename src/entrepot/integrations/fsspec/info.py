"""The dictionaries that describe files and directories to fsspec."""

from __future__ import annotations

from typing import Any, Final

from entrepot import EntryMode, Metadata

Info = dict[str, Any]

_TYPES: Final = {EntryMode.FILE: "file", EntryMode.DIR: "directory", EntryMode.UNKNOWN: "other"}
_OPTIONAL: Final = ("etag", "version", "content_type", "content_encoding", "cache_control", "content_disposition")


def info_of(name: str, metadata: Metadata) -> Info:
    """Returns the dictionary of a file or directory.

    It has `name`, `size` (None if the storage does not report it; 0 for a directory) and `type`, and as far as the
    storage reports them `mtime` (a datetime with a time zone), `etag`, `version`, the content headers and
    `user_metadata`.

    Arguments:
        name: the path of fsspec.
        metadata: what the storage reports.
    """
    if metadata.is_dir:
        info = directory_info(name)
    else:
        info = {"name": name, "size": metadata.content_length, "type": _TYPES[metadata.mode]}
    if metadata.last_modified is not None:
        info["mtime"] = metadata.last_modified
    info |= {field: value for field in _OPTIONAL if (value := getattr(metadata, field)) is not None}
    if metadata.user_metadata:
        info["user_metadata"] = dict(metadata.user_metadata)
    return info


def directory_info(name: str) -> Info:
    """Returns the dictionary of a directory of which only the name is known."""
    return {"name": name, "size": 0, "type": "directory"}
