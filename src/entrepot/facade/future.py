"""The base of the builders: an operation that is described step by step, then awaited.

    await op.read_with(path).range(0, 8).if_match(etag)

A builder is immutable: each step returns a new one, so that a partly described operation can be shared. One that is
never awaited warns, as a coroutine does. The builders themselves are generated (`futures.py`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from entrepot.errors import InvalidInput
from entrepot.types.shown import shown

from .options import UncheckedRange

if TYPE_CHECKING:
    from typing import Protocol

    class _Enterable(Protocol):
        async def __aenter__(self) -> Self: ...

        async def __aexit__(
            self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
        ) -> None: ...


T = TypeVar("T")


class Future(Generic[T]):
    """An operation that is still being described. Awaiting it makes the call.

    Arguments:
        call: makes the call; its arguments are `subject`, then the options.
        name: the name of the method, for `repr` and warnings.
        subject: the required arguments of the method: a path, a path and data, or two paths.
        options: the options so far.
    """

    _used = True  # of one whose making failed, such as by `pickle`: it warns of nothing

    def __init__(
        self, call: Callable[..., Awaitable[T]], name: str, subject: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        self._call = call
        self._name = name
        self._subject = subject
        self._options = options
        self._used = False

    def _with(self, **options: Any) -> Self:
        self._used = True
        return type(self)(self._call, self._name, self._subject, {**self._options, **options})

    def __await__(self) -> Generator[Any, Any, T]:
        self._used = True
        return self._call(*self._subject, self._options).__await__()

    def __repr__(self) -> str:
        return described(self._name, self._subject, self._options)

    if not TYPE_CHECKING:  # for type checkers, a builder has no further attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise not_yet(self, name, f"await it first: `result = await op.{self.__dict__.get('_name')}(...)`")

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(f"{self!r} was never awaited", RuntimeWarning, stacklevel=2, source=self)


E = TypeVar("E", bound="_Enterable")


class Entered(Future[E]):
    """A builder whose result is a context manager. `async with` on the builder enters the result."""

    _entered: E | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            call = f"op.{self.__dict__.get('_name')}(...)"
            raise not_yet(self, name, f"write `async with {call} as opened:`, or `opened = await {call}`")

        def __enter__(self) -> NoReturn:
            raise TypeError(f"{self!r} is entered with `async with`, not with `with`")

        def __exit__(self, *_: object) -> None:
            """Makes Python call `__enter__`."""

    async def __aenter__(self) -> E:
        if self._entered is not None:
            raise InvalidInput("this is already entered; make a new one for each `async with`")
        self._entered = await self
        return await self._entered.__aenter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.__aexit__(exc_type, exc, traceback)


def not_yet(builder: object, attribute: str, fix: str) -> AttributeError:
    """The error for an attribute that a builder does not have, but that its result may have.

    Arguments:
        builder: the builder.
        attribute: the name of the attribute.
        fix: how to get the result. It is left out for names that Python and its tools look up by themselves.
    """
    kind = type(builder).__name__
    hint = "" if attribute.startswith("_") else f": it describes a call that was not made yet; {fix}"
    return AttributeError(f"{kind!r} object has no attribute {attribute!r}{hint}", name=attribute, obj=builder)


def described(name: str, subject: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """The repr of a builder: paths, numbers and ranges, and only the types of all other values.

    Arguments:
        name: the name of the method.
        subject: the required arguments of the method.
        options: the options so far.
    """
    paths = [repr(value) if isinstance(value, str | os.PathLike) else f"<{type(value).__name__}>" for value in subject]
    named = [f"{option}={_shown_option(value)}" for option, value in options.items()]
    return f"<{name}({', '.join([*paths, *named])})>"


def _shown_option(value: object) -> str:
    if isinstance(value, UncheckedRange):
        return f"(start={shown(value.start)}, end={shown(value.end)}, suffix={shown(value.suffix)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return shown(value)
