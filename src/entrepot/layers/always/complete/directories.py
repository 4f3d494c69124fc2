"""Directories of flat stores: the object `"x/"`, called the marker, or only a common beginning of names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, NotFound
from entrepot.raw import Accessor, OpList, OpStat, OpWrite, RpCreateDir, RpStat
from entrepot.raw.conditions import check_conditions
from entrepot.types import EntryMode, Metadata
from entrepot.types.records import replace

_PEEK: Final = 2
"""The entries that show whether a directory has contents: its marker, which comes first, and one more."""

DIRECTORY: Final = Metadata(mode=EntryMode.DIR)


def stat_root(args: OpStat) -> RpStat:
    """The metadata of the root: it is a directory, without a request and without further metadata.

    Raises:
        NotFound: a version was requested; the root has none.
        ConditionNotMatch: a condition needs metadata that the root does not have.
    """
    if args.version is not None:
        raise NotFound("the root has no versions")
    check_conditions(DIRECTORY, args)
    return RpStat(metadata=_overridden(DIRECTORY, args))


async def stat_directory(inner: Accessor, path: str, args: OpStat) -> RpStat:
    """The metadata of a directory: that of its marker if the listing begins with it, otherwise only its mode.

    A version means a version of the marker, and goes to the service.

    Raises:
        NotFound: the directory has no entries and no marker.
        ConditionNotMatch: a condition does not hold for this metadata.
    """
    if args.version is not None:
        return await inner.stat(path, args)
    metadata = await _find_directory(inner, path)
    check_conditions(metadata, args)
    return RpStat(metadata=_overridden(metadata, args))


def _overridden(metadata: Metadata, args: OpStat) -> Metadata:
    """The metadata with the overrides that a response would state. There is no response here to state them."""
    overrides: dict[str, Any] = {
        "content_type": args.override_content_type,
        "content_disposition": args.override_content_disposition,
        "cache_control": args.override_cache_control,
    }
    stated = {name: value for name, value in overrides.items() if value is not None}
    return replace(metadata, **stated) if stated else metadata


async def _find_directory(inner: Accessor, path: str) -> Metadata:
    is_recursive = inner.info.native_capability.list_with_recursive
    _, lister = await inner.list(path, OpList(recursive=is_recursive, limit=1))
    try:
        page = await lister.next()
    finally:
        await lister.close()
    if page is None:
        raise NotFound("there is no such directory, and nothing below it")
    return next((entry.metadata for entry in page if entry.path == path), DIRECTORY)


async def has_contents(inner: Accessor, directory: str, without: Collection[str]) -> bool:
    """Whether a directory has contents, other than these paths. One request, unless `without` has many of them."""
    is_recursive = inner.info.native_capability.list_with_recursive
    limit = _PEEK if not without else None
    _, lister = await inner.list(directory, OpList(recursive=is_recursive, limit=limit))
    try:
        while (page := await lister.next()) is not None:
            if any(entry.path != directory and entry.path not in without for entry in page):
                return True
    finally:
        await lister.close()
    return False


async def write_marker(inner: Accessor, path: str) -> RpCreateDir:
    """Writes the empty object that stands for a directory, if possible only if it does not exist."""
    args = OpWrite(if_not_exists=inner.info.native_capability.write_with_if_not_exists)
    _, body = await inner.write(path, args)
    try:
        await body.close()
    except ConditionNotMatch:
        await body.abort()
    except BaseException:
        await body.abort()
        raise
    return RpCreateDir()
