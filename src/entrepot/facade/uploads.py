"""Multipart uploads that were started and never ended: lists them, and aborts the old ones."""

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
"""The precision of the times of the storage: an upload may look up to this much older or younger than it is."""

_MAX_EMPTY: Final = 1_000
"""The largest number of consecutive pages without uploads."""


def checked_age(value: Any) -> timedelta:
    """Checks the option `older_than`.

    Raises:
        InvalidInput: it is not a `timedelta`, or is negative.
    """
    if not isinstance(value, timedelta) or value < timedelta():
        raise InvalidInput(f"older_than must be a timedelta that is not negative, not {shown(value)}")
    return value


async def list_uploads(accessor: Accessor, path: str, older_than: timedelta | None) -> list[Upload]:
    """All uploads under a path, or only those older than an age.

    Raises:
        Unexpected: the storage repeats a page, or its pages have no new uploads.
    """
    uploads, progress = list[Upload](), _Progress()
    token: str | None = None
    while True:
        page = await accessor.list_uploads(path, OpListUploads(token=token))
        uploads += page.uploads if older_than is None else _older(page, older_than)
        token = page.next_token
        if token is None:
            return uploads
        progress.check(page.uploads, token)


class _Progress:
    """What was listed so far, to notice a faulty server whose listing never ends."""

    def __init__(self) -> None:
        self._tokens = set[str]()
        self._uploads = set[tuple[str, str]]()
        self._empty = 0

    def check(self, uploads: Sequence[Upload], token: str) -> None:
        """Raises if a page and the token of the next page bring nothing new."""
        new = {(upload.path, upload.id) for upload in uploads} - self._uploads
        self._empty = 0 if uploads else self._empty + 1
        if token in self._tokens or (uploads and not new):
            raise Unexpected("the storage repeats a page of uploads that was listed before")
        if self._empty > _MAX_EMPTY:
            raise Unexpected(f"the storage returned more than {_MAX_EMPTY} pages without uploads in a row")
        self._tokens.add(token)
        self._uploads |= new


async def abort_uploads(
    accessor: Accessor, context: Context, path: str, older_than: timedelta, concurrent: int
) -> list[Upload]:
    """Aborts the uploads under a path that are older than an age, and returns them.

    Raises:
        Unsupported: the service cannot abort uploads. Raised before any I/O.
        DeletionsFailed: some uploads could not be aborted; all others were aborted.
    """
    if not accessor.info.capability.abort_upload:
        raise Unsupported(f"the service {accessor.info.scheme} has no abort_upload")
    old = await list_uploads(accessor, path, older_than)
    failures = [error for error in await _abort_all(accessor, context, old, concurrent) if error is not None]
    if failures:
        raise DeletionsFailed.of(failures)
    return old


async def _abort_all(accessor: Accessor, context: Context, old: list[Upload], concurrent: int) -> list[Error | None]:
    from entrepot.raw.oio.windowed import gather

    window: Window[Error | None] = context.runtime.window(concurrent)
    calls: list[Callable[[], Any]] = [partial(_abort, accessor, upload) for upload in old]
    outcomes = list[Error | None]()
    await gather(calls, window, outcomes)
    return outcomes


async def _abort(accessor: Accessor, upload: Upload) -> Error | None:
    """Aborts one upload. An error is returned, not raised, so that the other uploads are aborted too."""
    try:
        await accessor.abort_upload(upload.path, OpAbortUpload(id=upload.id))
    except Error as error:
        failure = copy(error)
        failure.path = upload.path
        return failure.add_context(upload=upload.id)
    return None


def _older(page: RpListUploads, age: timedelta) -> Iterator[Upload]:
    """The uploads of a page that are older than an age, by the clock of the storage if the page has its time.

    An upload whose start is not known is never among them. With an age, rounding must not make an upload old enough;
    without one, it must not leave out an upload that has just started.
    """
    now = page.listed_at or datetime.now(UTC)
    least = age + _RESOLUTION if age else -_RESOLUTION
    return (upload for upload in page.uploads if upload.initiated is not None and now - upload.initiated >= least)
