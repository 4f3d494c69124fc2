"""What `lister` gives: one listing, entry by entry, with the next page on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.raw import Context, oio
from entrepot.types import Entry

from .exclusive import Exclusive

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")


class Lister:
    """A listing, with a position. Made by `Operator.lister`; opening it does no I/O.

    It holds one page in memory while the next one is fetched. After a temporary error, a timeout or a
    cancellation the same call goes on at the same place. One task at a time uses it. Every method may
    raise what the storage answers: `PermissionDenied`, `Timeout`, `Unexpected`; and `InvalidInput` when
    the lister is closed or in use.

    Close it, best by `async with`: one that is dropped while a page is on its way warns (`ResourceWarning`).
    """

    def __init__(self, context: Context, scheme: str, path: str, body: oio.List) -> None:
        self._calls = Exclusive("lister", scheme, path)
        self._body = body
        self._ahead: Window[None] = context.runtime.window(1)
        self._fetched: list[Sequence[Entry] | None] = []
        self._page: Sequence[Entry] = ()
        self._taken = 0

    async def next(self) -> Entry | None:
        """The next entry; None is the end."""
        if self._taken < len(self._page) and self._calls.is_free:  # most entries need no more than to be handed over
            self._calls.uses += 1
            return self._take_entry()
        return await self._calls.use("next", self._next_entry)

    async def next_page(self) -> Sequence[Entry] | None:
        """The entries that are left of the page at hand, or else the next page, never empty; None is the end."""
        return await self._calls.use("next_page", self._next_page)

    async def aclose(self) -> None:
        """Closes the lister. Closing twice is closing once."""
        if not self._calls.is_closed:
            await self._calls.use("aclose", self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """The entries from the position on. The lister can be used on after the loop was left."""
        last_use = self._calls.uses + 1
        self._calls.loops += 1
        try:
            while (entry := await self.next()) is not None:
                yield entry
                last_use = self._calls.uses + 1
        finally:
            self._calls.loops -= 1
            if self._calls.uses == last_use:  # nobody has gone on with the lister since
                await self._release()

    def __del__(self) -> None:
        self._warn_if_left_open(self)

    def __repr__(self) -> str:
        return f"<{self._calls!r}>"

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
        """Takes the next page, and sends for the one after it; False at the end."""
        if self._ahead:
            await self._ahead.take()
        if not self._fetched:
            await self._fetch()
        page = self._fetched.pop()
        if page is None:
            return False
        self._page, self._taken = page, 0
        self._ahead.spawn(self._fetch)
        return True

    async def _fetch(self) -> None:
        """Fetches a page, and keeps it whoever waits: the body has gone on, and would not give it again."""
        self._fetched.append(await self._body.next())

    async def _release(self) -> None:
        """Gives up the page that is on its way. The next call fetches it again."""
        await self._ahead.close()

    def _warn_if_left_open(self, dropped: object) -> None:
        if self._ahead:
            self._calls.warn_of_left_open(dropped)

    async def _close(self) -> None:
        self._calls.is_closed = True
        self._page = ()
        self._taken = 0
        self._fetched.clear()
        await self._ahead.close()
        await self._body.close()
