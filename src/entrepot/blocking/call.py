"""The base of the blocking builders: `op.read_with(path).range(0, 8).run()`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from entrepot.errors import InvalidInput
from entrepot.facade.future import described, not_yet

if TYPE_CHECKING:
    from typing import Protocol

    class _Enterable(Protocol):
        def __enter__(self) -> Self: ...

        def __exit__(
            self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
        ) -> None: ...


T = TypeVar("T")


class Call(Generic[T]):
    """An operation that is still being described. `run()` makes the call.

    Like the builders of the async facade it is immutable: each step returns a new one. A builder that is never run
    warns.

    Arguments:
        call: makes the call; its arguments are `subject`, then the options as keywords.
        name: the name of the method, for `repr` and warnings.
        subject: the required arguments of the method: a path, a path and data, or two paths.
        options: the options so far.
    """

    _used = True  # of one whose making failed, such as by `pickle`: it warns of nothing

    def __init__(
        self, call: Callable[..., T], name: str, subject: tuple[Any, ...], options: Mapping[str, Any] | None = None
    ) -> None:
        self._call = call
        self._name = name
        self._subject = subject
        self._options = options or {}
        self._used = False

    def run(self) -> T:
        """Makes the call and returns its result."""
        self._used = True
        return self._call(*self._subject, **self._options)

    def _with(self, **options: Any) -> Self:
        self._used = True
        return type(self)(self._call, self._name, self._subject, {**self._options, **options})

    def __repr__(self) -> str:
        return described(self._name, self._subject, self._options)

    if not TYPE_CHECKING:  # for type checkers, a builder has no further attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise not_yet(self, name, f"run it first: `result = op.{self.__dict__.get('_name')}(...).run()`")

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(f"{self!r} was never run", RuntimeWarning, stacklevel=2, source=self)


E = TypeVar("E", bound="_Enterable")


class EnteredCall(Call[E]):
    """A builder whose result is a context manager. `with` on the builder enters the result."""

    _entered: E | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            call = f"op.{self.__dict__.get('_name')}(...)"
            raise not_yet(self, name, f"write `with {call} as opened:`, or `opened = {call}.run()`")

    def __enter__(self) -> E:
        if self._entered is not None:
            raise InvalidInput("this is already entered; make a new one for each `with`")
        self._entered = self.run()
        return self._entered.__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.__exit__(exc_type, exc, traceback)
