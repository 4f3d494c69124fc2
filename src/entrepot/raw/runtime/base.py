"""What a runtime owes to services and layers."""

import io
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Args = TypeVarTuple("Args")


class File(Protocol):
    """An open local file, for calls that block on it, one at a time."""

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        """Makes `call(file, *args)` where it holds up nobody."""
        ...

    async def close(self) -> None:
        """Lets go of the file. A call whose caller has gone may still use it: it is closed when that ends.

        Does not wait for such a call.
        """
        ...


class Window(Protocol[T]):
    """Up to a fixed number of calls that run ahead, and whose results come in the order they went in."""

    def __len__(self) -> int:
        """How many results are still to be taken."""
        ...

    def is_full(self) -> bool:
        """Whether no further call may be added before one is taken."""
        ...

    def spawn(self, call: Callable[[], Awaitable[T]]) -> None:
        """Adds a call."""
        ...

    async def take(self) -> T:
        """The result of the oldest call, once it is there.

        An error of that call is raised instead, and the call is out of the window then. When the caller is
        cancelled the call stays, and is taken by the next `take`.
        """
        ...

    async def close(self) -> None:
        """Cancels what still runs and waits until it has ended."""
        ...


class Local(Protocol[T_co]):
    """A value for each event loop of each process, made on first use."""

    async def get(self) -> T_co:
        """The value that belongs to the running loop."""
        ...

    async def close(self) -> None:
        """Closes the value of the running loop, if it has one. The next `get` makes another."""
        ...


class Runtime(Protocol):
    """How to wait, without a word of what for."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Makes a call that blocks, such as a system call, where it holds up nobody."""
        ...

    async def blocking_long(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """The same, of a call that may take seconds. However many there are, they leave threads to `blocking`."""
        return await self.blocking(call, *args)

    async def try_nonblocking(self, attempt: Callable[[*Args], T | None], *args: *Args) -> T | None:
        """Makes a call that never blocks, and gives None where it would have to.

        It spares the hop to a thread that a call that blocks takes where waiting holds up others, and gives those
        others a turn before. Where waiting holds up nobody it is not made, and this is None.
        """
        ...

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[File, T]:
        """Opens a file by a call that blocks, which may return what else it learned on the way."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """A scope that is left with `TimeoutError` after so many seconds. Never held across a `yield`."""
        ...

    async def with_timeout(self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that ends with `TimeoutError` after so many seconds, as in a scope of `timeout` around it.

        A call that does not wait costs little more than it does without.
        """
        ...

    def window(self, size: int) -> Window[T]:
        """A window of at most `size` calls."""
        ...

    def lock(self) -> AbstractAsyncContextManager[object]:
        """A scope for one task at a time."""
        ...

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        """A scope for `permits` tasks at a time."""
        ...

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call that runs to its end although the caller is cancelled meanwhile."""
        ...

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> Local[T]:
        """A value for each event loop; closed by `close` when its loop shuts down, leaked in a forked child."""
        ...


class Runner(Protocol):
    """How a thread that does not await comes to the result of a coroutine."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result."""
        ...

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that gives back what is held, unless all is given back because the interpreter ends."""
        ...

    def bring(self, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
        """An iterable of the calling thread, as a coroutine that is run can draw from it."""
        ...

    def drop(self, held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
        """Closes what coroutines that were run have made, and empties the list of it, where that may be collected."""
        ...
