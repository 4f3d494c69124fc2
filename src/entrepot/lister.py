"""What `lister` gives: one listing, entry by entry, with the next page on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.errors import Error, InvalidInput
from entrepot.raw import Context, oio
from entrepot.types import Entry

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")


class Lister:
    """A listing, with a position. Made by `Operator.lister`; opening it does no I/O.

    It holds one page in memory while the next one is fetched. After a temporary error, a timeout or a
    cancellation the same call goes on at the same place. One task at a time uses it. Every method may
    raise what the storage answers: `PermissionDenied`, `Timeout`, `Unexpected`; and `InvalidInput` when
    the lister is closed or in use.
    """

    def __init__(self, context: Context, scheme: str, path: str, body: oio.List) -> None:
        self._scheme = scheme
        self._path = path
        self._body = body
        self._ahead: Window[Sequence[Entry] | None] = context.runtime.window(1)
        self._page: Sequence[Entry] = ()
        self._taken = 0
        self._uses = 0
        self._is_busy = False
        self._is_closed = False

    async def next(self) -> Entry | None:
        """The next entry; None is the end."""
        return await self._use("next", self._next_entry)

    async def next_page(self) -> Sequence[Entry] | None:
        """The entries that are left of the page at hand, or else the next page, never empty; None is the end."""
        return await self._use("next_page", self._next_page)

    async def aclose(self) -> None:
        """Closes the lister. Closing twice is closing once."""
        if not self._is_closed:
            await self._use("aclose", self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """The entries from the position on. The lister can be used on after the loop was left."""
        last_use = self._uses + 1
        try:
            while (entry := await self.next()) is not None:
                yield entry
                last_use = self._uses + 1
        finally:
            if self._uses == last_use:  # nobody has gone on with the lister since
                await self._ahead.close()

    def __repr__(self) -> str:
        return f"<Lister {self._scheme} {self._path!r}>"

    async def _use(self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call, one at a time, whose errors name the method that was called."""
        try:
            if self._is_busy:
                raise InvalidInput("the lister is in use by another task")
            if self._is_closed:
                raise InvalidInput("the lister is closed")
            self._uses += 1
            self._is_busy = True
            try:
                return await call()
            finally:
                self._is_busy = False
        except Error as error:
            error.of_call(f"lister.{method}", scheme=self._scheme, path=self._path)
            raise

    async def _next_entry(self) -> Entry | None:
        if self._taken == len(self._page) and not await self._turn_page():
            return None
        self._taken += 1
        return self._page[self._taken - 1]

    async def _next_page(self) -> Sequence[Entry] | None:
        if self._taken == len(self._page) and not await self._turn_page():
            return None
        taken, self._taken = self._taken, len(self._page)
        return self._page[taken:] if taken else self._page

    async def _turn_page(self) -> bool:
        """Takes the next page, and sends for the one after it; False at the end."""
        page = await self._fetched()
        if page is None:
            return False
        self._page, self._taken = page, 0
        self._ahead.spawn(self._body.next)
        return True

    async def _fetched(self) -> Sequence[Entry] | None:
        if not self._ahead:
            return await self._body.next()
        try:
            return await self._ahead.take()
        except Exception:
            await self._ahead.close()  # what failed is asked for again by the next call
            raise

    async def _close(self) -> None:
        self._is_closed = True
        self._page = ()
        self._taken = 0
        await self._ahead.close()
        await self._body.close()
