"""The interfaces of a runtime and of the runners of blocking callers."""

import io
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Args = TypeVarTuple("Args")


class Started(Protocol):
    """Reads of a file that were started before their results are wanted."""

    is_over: bool
    """Whether no piece comes after the ones that were taken. Then the next one must be started."""

    async def result(self) -> bytes | None:
        """The next piece, once it is there. None if its event loop was closed before: then it must be read again.

        A caller that was cancelled may wait for it again.
        """
        ...


class File(Protocol):
    """An open local file, for calls that block on it, one at a time."""

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        """Makes `call(file, *args)` where it does not block the event loop."""
        ...

    def start(self, read: Callable[[io.FileIO, int], bytes], start: int, end: int) -> Started | None:
        """Starts to read the piece at a position ahead of its caller. While the caller waits for it, more may follow.

        No other call may run; `run` waits until this one has ended.

        Arguments:
            read: called with the file and a position, returns the bytes there. It may block.
            start: the position of the first piece.
            end: the position where the last one ends.

        Returns:
            None where nothing can run ahead, because there is no event loop.
        """
        ...

    async def close(self) -> None:
        """Closes the file. If a call of a cancelled caller still uses it, the file is closed when that call ends.

        Does not wait for such a call.
        """
        ...


class CallQueue(Protocol):
    """Calls that block, made one at a time in their order. One that waits for its turn holds no thread."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Makes a call that blocks, after those before it. One that is cancelled before its turn is not made.

        Calls of different event loops do not wait for each other.
        """
        ...


class Window(Protocol[T]):
    """A bounded set of calls that run ahead; their results are taken in the order of the calls."""

    def __len__(self) -> int:
        """The number of results that are not taken yet."""
        ...

    def is_full(self) -> bool:
        """Whether a result must be taken before another call is added."""
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
        """Cancels the calls that still run and waits until they have ended."""
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
    """What a service needs from an event loop: threads, timers, tasks and locks."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Makes a call that blocks, such as a system call, where it does not block the event loop."""
        ...

    async def blocking_long(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Makes a call that blocks for seconds. Any number of such calls leaves threads free for `blocking`."""
        return await self.blocking(call, *args)

    def call_queue(self) -> CallQueue:
        """Makes a queue of calls that block."""
        ...

    async def try_nonblocking(self, attempt: Callable[[*Args], T | None], *args: *Args) -> T | None:
        """Makes a call that never blocks; it returns None if it would have to.

        On an event loop this saves the thread call, and gives other tasks a turn first. A runtime without a loop does
        not make the call and returns None.
        """
        ...

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[File, T]:
        """Opens a file by a call that blocks, which may return a second value."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """A scope that raises `TimeoutError` after `seconds`. Never held across a `yield`."""
        ...

    async def with_timeout(self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that raises `TimeoutError` after `seconds`, as in a scope of `timeout`.

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
        """Makes a call that runs to its end even if the caller is cancelled."""
        ...

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> Local[T]:
        """A value for each event loop; closed by `close` when its loop shuts down, leaked in a forked child."""
        ...


class Runner(Protocol):
    """Runs coroutines for threads that do not await."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result."""
        ...

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that releases resources, unless the end of the interpreter releases them."""
        ...

    def bring(self, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
        """An iterable of the calling thread, as a coroutine that is run can draw from it."""
        ...

    def drop(self, held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
        """Closes objects that coroutines have made, and empties the list, where they may be garbage collected."""
        ...
