"""Metadata of files with an etag that no other file gets, not even one that has the same inode later."""

import os
import stat
from collections.abc import Callable
from functools import cache
from typing import Final

from entrepot.types import Metadata

from .attributes import metadata_of

AT_FDCWD: Final = -100
"""In place of an open directory: a path is relative to the working directory, or absolute."""


def describe(attributes: os.stat_result, directory: int, name: str = "") -> Metadata:
    """The metadata that attributes amount to.

    Arguments:
        attributes: the attributes.
        directory: the open directory that they were found in, or the open file itself.
        name: the name there; it must not be a link. Empty for the file itself.
    """
    if not stat.S_ISREG(attributes.st_mode):
        return metadata_of(attributes)
    return metadata_of(attributes, _handle_at()(directory, name, attributes.st_ino))


@cache
def _handle_at() -> Callable[[int, str, int], str | None]:
    """The function of `handles`, which is imported on use: it loads ctypes."""
    from .handles import handle_at

    return handle_at
