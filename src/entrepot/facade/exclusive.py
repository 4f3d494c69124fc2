"""One call at a time on an opened object, with errors that name the method that was called."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, TypeVarTuple

from entrepot.errors import Error, InvalidInput

if TYPE_CHECKING:
    from typing import Protocol

    class Resource(Protocol):
        """A connection, file or request that an opened object holds between two calls."""

        @property
        def is_midway(self) -> bool:
            """Whether anything is held now."""
            ...

        async def release(self) -> None:
            """Releases it. The next call acquires it again."""
            ...


T = TypeVar("T")
Args = TypeVarTuple("Args")


class Exclusive:
    """Makes the calls of a reader, writer or lister.

    Arguments:
        kind: the kind of object: `"reader"`, `"writer"` or `"lister"`.
        scheme: the scheme of its service.
        path: the path that it was opened with.
        resource: the resource that it holds between two calls, if any.
        process: the only process that may use it, if a forked child must not.

    Attributes:
        uses: the number of exclusive calls so far.
        loops: the number of running `async for` loops, each of which releases the resource when it is left.
        is_closed: whether every further call is refused.
        has_ended: whether the object of a writer was published or dropped.
    """

    __slots__ = (
        "_has_warned",
        "_is_busy",
        "_kind",
        "_path",
        "_process",
        "_resource",
        "_scheme",
        "has_ended",
        "is_closed",
        "loops",
        "uses",
    )

    def __init__(
        self, kind: str, scheme: str, path: str, resource: Resource | None = None, process: int | None = None
    ) -> None:
        self._kind = kind
        self._scheme = scheme
        self._path = path
        self._resource = resource
        self._process = process
        self._is_busy = False
        self._has_warned = False
        self.uses = 0
        self.loops = 0
        self.is_closed = False
        self.has_ended = False

    @property
    def is_free(self) -> bool:
        """Whether a call is allowed now."""
        return not (self._is_busy or self.is_closed)

    @property
    def is_inherited(self) -> bool:
        """Whether this is a forked child of the only process that may use the object."""
        return self._process is not None and self._process != os.getpid()

    async def use(self, method: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes an exclusive call.

        Raises:
            InvalidInput: another exclusive call runs, or the object is closed.
        """
        if self._is_busy:
            raise self._with_call(InvalidInput(f"the {self._kind} is in use by another task"), method)
        self.uses += 1
        self._is_busy = True
        try:
            if self.is_closed or self._process is not None:
                self._check_open()
            return await call(*args)
        except Error as error:
            self._with_call(error, method)
            raise
        finally:
            self._is_busy = False

    async def call(self, method: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that may run beside others.

        Raises:
            InvalidInput: the object is closed.
        """
        try:
            self._check_open()
            return await call(*args)
        except Error as error:
            self._with_call(error, method)
            raise

    async def each(
        self, call_next: Callable[[], Awaitable[T | None]], take_ready: Callable[[], T | None] | None = None
    ) -> AsyncGenerator[T, None]:
        """Yields the results of a method until it returns None.

        When the loop is left, the resource is released, unless another call has used the object since the last item.

        Arguments:
            call_next: the method.
            take_ready: returns what the method would return, if it need not wait for it; else None. It saves the
                coroutine.
        """
        last_use = self.uses + 1
        self.loops += 1
        try:
            while True:
                item = None if take_ready is None else take_ready()
                if item is None and (item := await call_next()) is None:
                    break
                yield item
                last_use = self.uses + 1
        finally:
            self.loops -= 1
            await self.release_unless_used(last_use)

    async def release_unless_used(self, last_use: int) -> None:
        """Releases the resource, unless a call runs or has run since the one with this number."""
        if self.uses == last_use and not self._is_busy:
            await self.release()

    async def release(self) -> None:
        """Releases the resource. The next call acquires it again."""
        if self._resource is not None:
            await self._resource.release()

    def warn_if_left_open(self, dropped: object) -> None:
        """Warns once that an object is garbage-collected while it holds its resource."""
        is_left_open = self._resource is not None and self._resource.is_midway
        if is_left_open and not (self.is_closed or self.loops or self._has_warned):
            self._has_warned = True
            warnings.warn(f"<{self!r}> was not closed", ResourceWarning, stacklevel=3, source=dropped)

    def _check_open(self) -> None:
        if self.is_closed:
            raise InvalidInput(f"the {self._kind} is closed")
        if self.is_inherited:
            raise InvalidInput(f"the {self._kind} was opened before a fork, in the parent process: open one here")

    def _with_call(self, error: Error, method: str) -> Error:
        return error.of_call(f"{self._kind}.{method}", scheme=self._scheme, path=self._path)

    def __repr__(self) -> str:
        return f"{self._kind.title()} {self._scheme} {self._path!r}"


class Opened:
    """The base of `Reader`, `Writer` and `Lister`."""

    _calls: Exclusive

    if not TYPE_CHECKING:  # a `with` without `async` is an error for type checkers already

        def __enter__(self) -> NoReturn:
            raise TypeError(f"{self!r} is entered with `async with`, not with `with`")

        def __exit__(self, *_: object) -> None:
            """Makes Python call `__enter__`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Closes the object. Closing it twice has no further effect."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._calls.warn_if_left_open(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)


def calls_of(opened: Opened) -> Exclusive:
    """The calls of an opened object. Its blocking twin shares them."""
    return opened._calls  # noqa: SLF001 - a function of this module, so that the classes have no public name for it


def refuse_pickling(opened: object) -> NoReturn:
    """Raises `TypeError` where an opened object would be pickled or copied: both would share its connection or file."""
    raise TypeError(
        f"cannot pickle or copy {type(opened).__name__!r} object: pass on the operator and the path, and open it there"
    )
