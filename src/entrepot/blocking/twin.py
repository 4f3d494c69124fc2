"""What the generated classes stand on: an object of the async facade, and what runs its coroutines."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from entrepot.errors import InvalidInput
from entrepot.facade.exclusive import Opened, calls_of
from entrepot.facade.operator import Operator, without_loop
from entrepot.facade.options import shown_path
from entrepot.facade.preload import preload_helpers
from entrepot.facade.sources import as_source, blocks, is_async_file, is_file
from entrepot.raw import AccessorInfo, Layer
from entrepot.raw.runtime import Runner
from entrepot.raw.runtime.inline import InlineRunner

T = TypeVar("T")

_END: Final[Any] = object()


B = TypeVar("B", bound=Opened)


class BlockingBody(Generic[B]):
    """What is opened, without `await`.

    Arguments:
        inner: what the async facade opened.
        runner: runs its coroutines.
    """

    def __init__(self, inner: B, runner: Runner) -> None:
        self._inner = inner
        self._calls = calls_of(inner)
        self._runner = runner
        self._run = runner.run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run = self._run if exc is None else self._runner.finish
        run(self._inner.__aexit__(exc_type, exc, traceback))

    def __del__(self) -> None:
        calls, held = self.__dict__.pop("_calls"), [self.__dict__.pop("_inner")]
        try:
            calls.warn_if_left_open(self)
        finally:
            del calls
            self._runner.drop(held, self._let_go)  # the loop empties the list, so that `inner` is collected there

    @staticmethod
    async def _let_go(inner: B) -> None:
        """Gives back what is held when nobody closes it: nothing, unless a class says otherwise."""

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._inner)[1:]}"

    def _each(self, items: AsyncIterable[T]) -> Iterator[T]:
        """What an async iterable gives. It is left as an `async for` leaves it, however the loop ends."""
        iterator: Any = aiter(items)
        try:
            while (item := self._run(_next(iterator))) is not _END:
                yield item
        finally:
            self._runner.finish(_close(iterator))


class BlockingBase:
    """An operator without `await`: what of it is no operation.

    Arguments:
        operator: what to call. Where its service needs no event loop, its stack is built once more on a runtime
            without one.
    """

    def __init__(self, operator: Operator) -> None:
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a blocking operator is made from an Operator, not {type(operator).__name__}")
        preload_helpers()
        local = without_loop(operator)
        self._operator = operator
        self._inner = local or operator
        self._runner = _background() if local is None else InlineRunner()
        self._run = self._runner.run

    @property
    def info(self) -> AccessorInfo:
        """Scheme, root and name of the storage, and what it can do, natively and completed."""
        return self._inner.info

    def layer(self, layer: Layer) -> Self:
        """A new operator with one more layer around everything. This one stays as it is.

        It shares the connections of this one.
        """
        return type(self)(self._operator.layer(layer))

    def at(self, prefix: str) -> Self:
        """A new operator whose root is a directory of this one. This one stays as it is.

        Every path of it lies beneath that directory, and what comes back is relative to it; no path leads out.
        The directory need not exist: the new operator shows it as its root anyway. `op.at("a/").at("b/")` is
        `op.at("a/b/")`. The same as one more `PrefixLayer` around everything.

        Arguments:
            prefix: the directory, with a trailing slash.

        Raises:
            InvalidInput: it has no trailing slash, or cannot be a path.
        """
        return type(self)(self._operator.at(prefix))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._inner.close())

    def __repr__(self) -> str:
        return f"Blocking{self._operator!r}"

    def __reduce__(self) -> tuple[type[Self], tuple[Operator]]:
        return type(self), (self._operator,)

    @property
    def _needs_loop(self) -> bool:
        return self._inner is self._operator

    def _opened(self, opening: Awaitable[T]) -> T:
        return self._run(_awaited(opening))

    def _run_beside(
        self, operation: str, other: object, call: Callable[[Operator, Operator], Coroutine[Any, Any, T]]
    ) -> T:
        """Runs a call that takes two operators: on the background loop if one of them needs a loop."""
        if not isinstance(other, BlockingBase):
            refused = InvalidInput(f"the other operator must be a BlockingOperator, not {type(other).__name__}")
            raise refused.of_call(operation, scheme=self.info.scheme, path="/")
        return self._run_both(other, call)

    def _run_both(self, other: BlockingBase, call: Callable[[Operator, Operator], Coroutine[Any, Any, T]]) -> T:
        if self._needs_loop == other._needs_loop:
            return self._run(call(self._inner, other._inner))
        runner = self._runner if self._needs_loop else other._runner
        return runner.run(call(self._operator, other._operator))

    def _bring_data(self, operation: str, path: object, data: Any) -> Any:
        """The data of a write. An open file is read by the calling thread, as it is without a loop."""
        try:
            source = as_source(data)
            if is_file(source):
                source = _blocks(source)
        except InvalidInput as refused:
            refused.of_call(operation, scheme=self.info.scheme, path=shown_path(path))
            raise
        return self._bring(operation, path, source)

    def _bring(self, operation: str, path: object, items: Any) -> Any:
        """An argument that is iterated, as the coroutine of the operation can draw from it."""
        if isinstance(items, AsyncIterable) and not isinstance(items, Iterable):
            refused = InvalidInput("an async iterable needs an operator that is awaited")
            raise refused.of_call(operation, scheme=self.info.scheme, path=shown_path(path))
        return self._runner.bring(items)


def _blocks(file: Any) -> Iterator[Any]:
    if is_async_file(file):
        raise InvalidInput("a file whose read is awaited needs an operator that is awaited")
    return blocks(file)


def _background() -> Runner:
    from entrepot.raw.runtime.background import BackgroundRunner

    return BackgroundRunner()


async def _next(iterator: AsyncIterator[T]) -> T:
    """The next item, asked for on the loop, which notes there what it has to close in the end."""
    return await anext(iterator, _END)


async def _close(iterator: AsyncGenerator[Any, None]) -> None:
    await iterator.aclose()


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
