"""Metadata of files with an etag that no other file gets, not even one that has the same inode later."""

import os
import stat
from collections.abc import Callable
from functools import cache
from typing import Final

from entrepot.services.fs.core import describe
from entrepot.types import Metadata

AT_FDCWD: Final = -100
"""In place of an open directory: a path is relative to the working directory, or absolute."""


def described(attributes: os.stat_result, directory: int, name: str = "") -> Metadata:
    """The metadata that attributes amount to.

    Arguments:
        attributes: the attributes.
        directory: the open directory that they were found in, or the open file itself.
        name: the name there; it must not be a link. Empty for the file itself.
    """
    if not stat.S_ISREG(attributes.st_mode):
        return describe(attributes)
    return describe(attributes, _handle_at()(directory, name, attributes.st_ino))


@cache
def _handle_at() -> Callable[[int, str, int], str | None]:
    """The function of `handles`, which is imported on use: it loads ctypes."""
    from .handles import handle_at

    return handle_at
