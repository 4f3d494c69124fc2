"""Uploads in parts that were begun and never ended: finding them, and aborting those that are old."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import DeletionsFailed, Error, InvalidInput, Unexpected, Unsupported
from entrepot.raw import Accessor, Context, OpAbortUpload, OpListUploads, RpListUploads
from entrepot.types import Upload
from entrepot.types.shown import shown

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

_RESOLUTION: Final = timedelta(seconds=1)
"""How much older an upload may look than it is: the storage tells whole seconds."""


MAX_EMPTY: Final = 1_000
"""How many pages in a row may be without uploads."""


def checked_age(value: Any) -> timedelta:
    """An age that uploads may be older than.

    Raises:
        InvalidInput: it is no `timedelta`, or a negative one.
    """
    if not isinstance(value, timedelta) or value < timedelta():
        raise InvalidInput(f"older_than is a timedelta that is not negative, not {shown(value)}")
    return value


async def list_uploads(accessor: Accessor, path: str, older_than: timedelta | None) -> list[Upload]:
    """All uploads at a path, or those that are older than an age, page by page.

    Raises:
        Unexpected: the storage names a page as the next that was listed before, or its pages hold nothing new.
    """
    found, progress = list[Upload](), _Progress()
    token: str | None = None
    while True:
        page = await accessor.list_uploads(path, OpListUploads(token=token))
        found += page.uploads if older_than is None else _older(page, older_than)
        token = page.next_token
        if token is None:
            return found
        progress.check(page.uploads, token)


class _Progress:
    """What was listed so far, so that no server is listed for ever."""

    def __init__(self) -> None:
        self._tokens = set[str]()
        self._uploads = set[tuple[str, str]]()
        self._empty = 0

    def check(self, uploads: Sequence[Upload], token: str) -> None:
        """Raises where a page and the token of the next bring nothing new."""
        new = {(one.path, one.id) for one in uploads} - self._uploads
        self._empty = 0 if uploads else self._empty + 1
        if token in self._tokens or (uploads and not new) or self._empty > MAX_EMPTY:
            raise Unexpected("the storage names a page of the uploads as the next that was listed before")
        self._tokens.add(token)
        self._uploads |= new


async def abort_uploads(
    accessor: Accessor, context: Context, path: str, older_than: timedelta, concurrent: int
) -> list[Upload]:
    """Aborts the uploads at a path that are older than an age, and returns them.

    Raises:
        Unsupported: the service cannot. Nothing was asked.
        DeletionsFailed: some could not be aborted; the others were.
    """
    if not accessor.info.capability.abort_upload:
        raise Unsupported(f"the service {accessor.info.scheme} has no abort_upload")
    doomed = await list_uploads(accessor, path, older_than)
    failures = [error for error in await _abort_all(accessor, context, doomed, concurrent) if error is not None]
    if failures:
        raise DeletionsFailed.of(failures)
    return doomed


async def _abort_all(accessor: Accessor, context: Context, doomed: list[Upload], concurrent: int) -> list[Error | None]:
    from entrepot.raw.oio.windowed import gather

    window: Window[Error | None] = context.runtime.window(concurrent)
    calls: list[Callable[[], Any]] = [partial(_abort, accessor, upload) for upload in doomed]
    outcomes = list[Error | None]()
    await gather(calls, window, outcomes)
    return outcomes


async def _abort(accessor: Accessor, upload: Upload) -> Error | None:
    """Aborts one; its error is returned, so that the others are aborted all the same."""
    try:
        await accessor.abort_upload(upload.path, OpAbortUpload(id=upload.id))
    except Error as error:
        failure = copy(error)
        failure.path = upload.path
        return failure.add_context(upload=upload.id)
    return None


def _older(page: RpListUploads, age: timedelta) -> Iterator[Upload]:
    """Those begun longer ago, by the clock of the storage if it tells. One whose beginning is not known is none."""
    now = page.listed_at or datetime.now(UTC)
    least = age + _RESOLUTION if age else -_RESOLUTION
    return (one for one in page.uploads if one.initiated is not None and now - one.initiated >= least)
