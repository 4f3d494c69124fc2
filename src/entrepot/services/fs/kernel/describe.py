"""The metadata of a file, with an etag that no other file gets, even if it gets the same inode later."""

import os
import stat
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from entrepot.types import Metadata

from .attributes import metadata_of, metadata_of_regular

AT_FDCWD: Final = -100
"""Stands for the working directory where an open directory is expected: the path is relative to it, or absolute."""

Look = Callable[[os.stat_result, int], Metadata]
"""`describe` or `describe_length`, called with the attributes of an open file and its descriptor."""


def describe(attributes: os.stat_result, directory: int, name: str = "") -> Metadata:
    """Returns the metadata of a file.

    Arguments:
        attributes: its attributes.
        directory: the open directory of the file, or the open file itself.
        name: the name in the directory; it must not be a link. Empty for the open file itself.
    """
    if not stat.S_ISREG(attributes.st_mode):
        return metadata_of(attributes)
    return metadata_of_regular(attributes, _handle_at()(directory, name, attributes.st_ino))


def describe_length(attributes: os.stat_result, _: int) -> Metadata:
    """The metadata of a regular file of which only the length is needed: without a system call for the handle."""
    return Metadata(content_length=attributes.st_size)


def describe_by_handle(attributes: os.stat_result, handle: bytes) -> Metadata:
    """`describe` with the handle that the file has (`handles.handle_in_mount`)."""
    if not stat.S_ISREG(attributes.st_mode):
        return metadata_of(attributes)
    return metadata_of_regular(attributes, _accepted()(handle, attributes.st_ino))


def describe_files(directory: int, names: Sequence[str]) -> list[Metadata] | None:
    """`many_files.describe_many`."""
    return _describe_many()(directory, names)


@cache
def _describe_many() -> Callable[[int, Sequence[str]], list[Metadata] | None]:
    """`many_files.describe_many`, imported on use for the same reason as `handle_at`."""
    from .many_files import describe_many

    return describe_many


@cache
def _accepted() -> Callable[[bytes, int], str | None]:
    """`handles.accepted`, imported on use for the same reason as `handle_at`."""
    from .handles import accepted

    return accepted


@cache
def _handle_at() -> Callable[[int, str, int], str | None]:
    """`handles.handle_at`, which is imported on use because it loads ctypes."""
    from .handles import handle_at

    return handle_at
