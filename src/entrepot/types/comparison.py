"""Whether a file of another storage is the same, judged by the metadata of both."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from .patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .metadata import Metadata

_SECOND: Final = timedelta(seconds=1)
_DIGEST: Final = pattern(r'"[0-9A-Fa-f]{32}(-[0-9]+)?"')
"""A strong etag that is a digest of the content: the MD5 of S3, also of the parts of an upload."""


def is_same(source: Metadata, target: Metadata) -> bool:
    """Whether the target has the content of the source: of the same size, and of the same digest or no older.

    An etag that is not a digest says nothing about the content in another store: it may count the writes there.
    """
    if not has_same_size(source, target):
        return False
    if source.etag is not None and source.etag == target.etag and _DIGEST.fullmatch(source.etag):
        return True
    return is_no_older(source, target)


def has_same_size(source: Metadata, target: Metadata) -> bool:
    """Whether both have a size, and the same."""
    return source.content_length is not None and source.content_length == target.content_length


def is_no_older(source: Metadata, target: Metadata) -> bool:
    """Whether both have a time, and the target was written at the same time or later.

    A time in whole seconds, as most stores list them, is of any moment in its second: the source may have been written
    once more after the target. Only a target of a later second is younger for sure. The other way round, a target in
    whole seconds is taken for the start of its second, which is on the safe side too.
    """
    written, there = source.last_modified, target.last_modified
    if written is None or there is None:
        return False
    if written.microsecond or there.microsecond == 0:
        return written <= there
    return written + _SECOND <= there


def has_same_name(_: Metadata, __: Metadata) -> bool:
    """Any file that is there at all."""
    return True


COMPARISONS: Final[Mapping[str, Callable[[Metadata, Metadata], bool]]] = {
    "time": is_same,
    "size": has_same_size,
    "update": is_no_older,
    "name": has_same_name,
}
"""The comparisons by metadata, by the names that `compare` has for them (`TreeComparison`)."""
