"""The directories of flat stores, where a directory is the object `"x/"` or only the beginning of other names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, NotFound
from entrepot.raw import Accessor, OpList, OpStat, OpWrite, RpCreateDir, RpStat
from entrepot.raw.conditions import check_conditions
from entrepot.types import EntryMode, Metadata

DIRECTORY: Final = Metadata(mode=EntryMode.DIR)


def stat_root(args: OpStat) -> RpStat:
    """The root is a directory without asking, and nothing more is known of it.

    Raises:
        NotFound: a version was asked for; it has none.
        ConditionNotMatch: a condition was set that needs to know more.
    """
    if args.version is not None:
        raise NotFound("the root has no versions")
    check_conditions(DIRECTORY, args)
    return RpStat(metadata=_overridden(DIRECTORY, args))


async def stat_directory(inner: Accessor, path: str, args: OpStat) -> RpStat:
    """What is known of a directory: what its marker has, if that is listed first, else that it is one.

    A version is that of the marker, which the service is asked for.

    Raises:
        NotFound: nothing lies beneath, not even a marker.
        ConditionNotMatch: a condition does not hold for what is known.
    """
    if args.version is not None:
        return await inner.stat(path, args)
    metadata = await _find_directory(inner, path)
    check_conditions(metadata, args)
    return RpStat(metadata=_overridden(metadata, args))


def _overridden(metadata: Metadata, args: OpStat) -> Metadata:
    """What a reply would say: here there is none that could be told to say something else than what is stored."""
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
        raise NotFound("there is no such directory, and nothing beneath it")
    return next((entry.metadata for entry in page if entry.path == path), DIRECTORY)


async def write_marker(inner: Accessor, path: str) -> RpCreateDir:
    """Makes the empty object that stands for a directory. One that exists is left alone where that can be asked."""
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
