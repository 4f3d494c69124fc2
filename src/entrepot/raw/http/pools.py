"""The pools of connections of one event loop, while a transport is closed and used again.

Theory of operation. `Pools` belongs to one event loop. It has at most one current pool, which serves new requests, and
any number of retired ones. Closing the transport retires the current pool: its idle connections are closed at once, and
it closes itself when the last request in flight has ended. The next request makes a new pool. When the loop shuts down,
`Pools.close` closes all of them, in-flight requests included; their readers get an error.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Generic, Protocol, TypeVar


class LoopPool(Protocol):
    """A pool of connections of one event loop."""

    @property
    def is_closed(self) -> bool:
        """Whether all connections are closed, and no more can be made."""
        ...

    async def retire(self) -> None:
        """Closes idle connections, and the others as soon as no request is in flight."""

    async def close(self) -> None:
        """Closes every connection, and waits until they are closed."""


P = TypeVar("P", bound=LoopPool)


class Pools(Generic[P]):
    """The pools of one event loop: the current one, and the retired ones that have requests in flight.

    Arguments:
        make: makes a pool.
    """

    def __init__(self, make: Callable[[], P]) -> None:
        self._make = make
        self._current: P | None = None
        self._retired: list[P] = []

    def current(self) -> P:
        """The pool for new requests."""
        if self._current is None:
            self._current = self._make()
        return self._current

    async def retire(self) -> None:
        """Retires the current pool: it serves its requests in flight only. The next request makes a new one."""
        self._retired = [pool for pool in self._retired if not pool.is_closed]
        pool, self._current = self._current, None
        if pool is not None:
            self._retired.append(pool)
            await pool.retire()

    async def close(self) -> None:
        """Closes every connection, and waits until they are closed.

        All are closed also if this is cancelled, as it may be while the loop shuts down.
        """
        pools, self._retired = [*self._retired, self._current], []
        self._current = None
        async with AsyncExitStack() as stack:
            for pool in pools:
                if pool is not None:
                    stack.push_async_callback(pool.close)
