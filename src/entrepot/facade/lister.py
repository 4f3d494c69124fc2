"""`Lister`: the entries of a listing, with the next page fetched ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from entrepot.errors import Error
from entrepot.raw import Context, oio
from entrepot.types import Entry

from .exclusive import Exclusive, Opened
from .iterate import ByAsyncFor

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime, Window


class Lister(Opened, ByAsyncFor):
    """Iterates the entries of a listing. Made by `Operator.lister`; opening it does no I/O.

    One page is in memory while the next one is fetched. After a temporary error, a timeout or a cancellation the same
    call can be made again and continues at the same entry. One task at a time may use a lister.

    Close the lister, best with `async with`. A lister that is garbage-collected while it fetches a page issues a
    `ResourceWarning`.

    Every method may raise the errors of the storage (`PermissionDenied`, `Timeout`, `Unexpected`), and `InvalidInput`
    if the lister is closed or in use by another task.
    """

    def __init__(self, context: Context, scheme: str, path: str, body: oio.List) -> None:
        self._scheme = scheme
        self._body = body
        self._pages = _PagesAhead(context.runtime, body)
        self._calls = Exclusive("lister", scheme, path, self._pages)
        self._page: Sequence[Entry] = ()
        self._taken = 0

    async def next(self) -> Entry | None:
        """Returns the next entry; None means the end."""
        return self._take_ready() or await self._calls.use("next", self._next_entry)

    async def next_page(self) -> Sequence[Entry] | None:
        """Returns the rest of the current page, or else the next page, never empty; None means the end."""
        return await self._calls.use("next_page", self._next_page)

    def left_out(self) -> list[Error]:
        """Returns an error for each directory of which the pages so far lack something.

        A directory without permission to list is `PermissionDenied`; names in it that no path can have, such as one
        that is not UTF-8, are `Unsupported`. The path of each error is the directory. At the end of the listing an
        empty list means that nothing is missing. It may also be called when the lister is closed.
        """
        left_out = self._body.left_out()
        return [each.as_error().of_call("lister.next", scheme=self._scheme, path=each.path) for each in left_out]

    async def aclose(self) -> None:
        """Closes the lister and stops fetching the next page. Closing it again has no effect."""
        if not self._calls.is_closed:
            await self._calls.use("aclose", self._close)

    def __aiter__(self) -> AsyncIterator[Entry]:
        """Yields the entries from the position on. The lister can still be used after the loop is left."""
        return self._calls.each(self.next, self._take_ready)

    def __repr__(self) -> str:
        return f"<{self._calls!r}>"

    def _take_ready(self) -> Entry | None:
        """The next entry if the page has it, as most are, and a call is allowed now."""
        if self._taken == len(self._page) or not self._calls.is_free:
            return None
        self._calls.uses += 1
        return self._take_entry()

    async def _next_entry(self) -> Entry | None:
        if self._taken == len(self._page) and not await self._turn_page():
            return None
        return self._take_entry()

    def _take_entry(self) -> Entry:
        self._taken += 1
        return self._page[self._taken - 1]

    async def _next_page(self) -> Sequence[Entry] | None:
        if self._taken == len(self._page) and not await self._turn_page():
            return None
        taken, self._taken = self._taken, len(self._page)
        return self._page[taken:] if taken else self._page

    async def _turn_page(self) -> bool:
        """Replaces the used page by the next one; False at the end."""
        page = await self._pages.take()
        if page is None:
            return False
        self._page, self._taken = page, 0
        return True

    async def _close(self) -> None:
        self._calls.is_closed = True
        self._page = ()
        self._taken = 0
        await self._pages.close()


class _PagesAhead:
    """The pages of a listing. While one is used, the next one is fetched in the window.

    A fetched page is kept in `_fetched` until it is taken: the body has advanced and would not return it again. The
    page that `take` is about to return is kept in `_ready`. So a cancelled `take` loses no page.
    """

    def __init__(self, runtime: Runtime, body: oio.List) -> None:
        self._runtime = runtime
        self._window: Window[None] = runtime.window(1)
        self._body = body
        self._fetched: list[Sequence[Entry] | None] = []
        self._ready: list[Sequence[Entry]] = []

    @property
    def is_midway(self) -> bool:
        """Whether a page is being fetched, or was fetched and not taken."""
        return bool(self._window)

    async def take(self) -> Sequence[Entry] | None:
        """The next page, never empty; None at the end. Starts to fetch the page after it."""
        if not self._ready:
            if self._window:
                await self._window.take()
            if not self._fetched:
                await self._fetch()
            page = self._fetched.pop()
            if page is None:
                return None
            self._ready.append(page)
            self._window.spawn(self._fetch)
        await self._runtime.sleep(0)  # the fetch sends its request now: the caller may use the page without awaiting
        return self._ready.pop()

    async def release(self) -> None:
        """Cancels the fetch. The next `take` starts it again."""
        await self._window.close()

    async def close(self) -> None:
        """Cancels the fetch and closes the body."""
        self._fetched.clear()
        self._ready.clear()
        await self._window.close()
        await self._body.close()

    async def _fetch(self) -> None:
        self._fetched.append(await self._body.next())
