"""One call at a time on what is opened, each of whose errors names the method that was called."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

from entrepot.errors import Error, InvalidInput

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Exclusive:
    """Makes the calls of a reader, writer or lister.

    Arguments:
        what: what it is, such as `"reader"`.
        scheme: the scheme of its service.
        path: the path that it was opened with.

    Attributes:
        uses: how many calls were made one at a time.
        loops: how many loops over it are under way, each of which gives back what is held when it is left.
        is_closed: whether calls are refused from now on.
    """

    __slots__ = ("_has_warned", "_is_busy", "_path", "_scheme", "_what", "is_closed", "loops", "uses")

    def __init__(self, what: str, scheme: str, path: str) -> None:
        self._what = what
        self._scheme = scheme
        self._path = path
        self._is_busy = False
        self._has_warned = False
        self.uses = 0
        self.loops = 0
        self.is_closed = False

    @property
    def is_free(self) -> bool:
        """Whether a call would not be refused."""
        return not (self._is_busy or self.is_closed)

    async def use(self, method: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that no other may be beside.

        Raises:
            InvalidInput: there is another, or it is closed.
        """
        if self._is_busy:
            raise self._named(InvalidInput(f"the {self._what} is in use by another task"), method)
        self.uses += 1
        self._is_busy = True
        try:
            self._check_open()
            return await call(*args)
        except Error as error:
            self._named(error, method)
            raise
        finally:
            self._is_busy = False

    async def call(self, method: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that others may be beside."""
        try:
            self._check_open()
            return await call(*args)
        except Error as error:
            self._named(error, method)
            raise

    def warn_of_left_open(self, dropped: object) -> None:
        """Warns that what was opened is collected and was not closed. Once: the blocking twin asks for it first."""
        if not (self.is_closed or self.loops or self._has_warned):
            self._has_warned = True
            warnings.warn(f"<{self!r}> was not closed", ResourceWarning, stacklevel=3, source=dropped)

    def _check_open(self) -> None:
        if self.is_closed:
            raise InvalidInput(f"the {self._what} is closed")

    def _named(self, error: Error, method: str) -> Error:
        return error.of_call(f"{self._what}.{method}", scheme=self._scheme, path=self._path)

    def __repr__(self) -> str:
        return f"{self._what.title()} {self._scheme} {self._path!r}"
