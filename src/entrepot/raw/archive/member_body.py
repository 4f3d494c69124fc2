"""`MemberBody`: the body of a read of a member, opened by its first verb."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from entrepot.errors import ConditionNotMatch
from entrepot.raw.oio.read.api import Read, check_not_closed

T = TypeVar("T")


class MemberBody(Read):
    """Opens the body of a member when its first verb is called.

    If the archive has changed since its index was built, and nothing was returned yet, the body is opened once more,
    with a new index. Later, a change is an error, of this verb and of all others.

    Arguments:
        open: finds the member and opens its body.
        forget: drops the index that the last `open` used.
    """

    __slots__ = ("_body", "_changed", "_forget", "_has_returned", "_is_closed", "_is_reopened", "_open")

    def __init__(self, open: Callable[[], Awaitable[Read]], forget: Callable[[], None]) -> None:  # noqa: A002
        self._open = open
        self._forget = forget
        self._body: Read | None = None
        self._changed: ConditionNotMatch | None = None
        self._has_returned = False
        self._is_reopened = False
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._body is not None and self._body.is_at_end

    @property
    def remaining(self) -> int | None:
        return None if self._body is None else self._body.remaining

    async def read(self, n: int) -> bytes:
        return await self._use(lambda body: body.read(n))

    async def readinto(self, buffer: memoryview) -> int:
        return await self._use(lambda body: body.readinto(buffer))

    async def next(self) -> bytes | None:
        return await self._use(lambda body: body.next())

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return await self._use(lambda body: body.seek(offset, whence))

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _use(self, verb: Callable[[Read], Awaitable[T]]) -> T:
        check_not_closed(self._is_closed)
        if self._changed is not None:
            raise self._changed
        try:
            result = await verb(await self._opened())
        except ConditionNotMatch as changed:
            result = await self._use_again(verb, changed)
        self._has_returned = True
        return result

    async def _use_again(self, verb: Callable[[Read], Awaitable[T]], changed: ConditionNotMatch) -> T:
        self._forget()
        await self._drop()
        if self._has_returned:
            self._changed = changed
        if self._has_returned or self._is_reopened:
            raise changed
        self._is_reopened = True
        return await verb(await self._opened())

    async def _opened(self) -> Read:
        if self._body is None:
            self._body = await self._open()
        return self._body

    async def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()
