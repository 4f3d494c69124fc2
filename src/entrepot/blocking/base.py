"""The bases of the blocking classes: an object of the async facade, and the runner of its coroutines.

There are two runners. `InlineRunner` runs coroutines in the calling thread, over the operator on the inline runtime:
they never suspend. With `BackgroundRunner` the calling thread waits for the background event loop of the process. A
service on this machine has the first, a service over a network both (`sides.py` decides by the call), and an operator
whose parts may need an event loop the second. Arguments that are iterated or read are consumed in the calling thread
(`Runner.bring`), because they may run code of the caller.
"""

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
    Mapping,
)
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, Self, TypeVar

from entrepot.errors import InvalidInput
from entrepot.facade.exclusive import Opened, calls_of, refuse_pickling
from entrepot.facade.operations import Entries
from entrepot.facade.operator import Operator, fetch_on, gains_by_loop, without_loop
from entrepot.facade.options import Path, shown_path
from entrepot.facade.preload import preload_blocking
from entrepot.facade.reader import Reader
from entrepot.facade.sources import as_source, blocks, is_async_file, is_file
from entrepot.raw import AccessorInfo, Layer
from entrepot.raw.runtime import Runner
from entrepot.raw.runtime.inline import InlineRunner

from .opening import Opening
from .sides import INLINE, Side

T = TypeVar("T")

_END: Final[Any] = object()


B = TypeVar("B", bound=Opened)


class BlockingBody(Generic[B]):
    """The base of blocking readers, writers and listers.

    Arguments:
        inner: the object that the async facade opened.
        runner: runs its coroutines.
        overlapping: runs those that send several requests; by default `runner` does.
    """

    def __init__(self, inner: B, runner: Runner, overlapping: Runner | None = None) -> None:
        self._inner = inner
        self._calls = calls_of(inner)
        self._runner = runner
        self._run = runner.run
        self._run_overlapping = (overlapping or runner).run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run = self._run if exc is None else self._runner.finish
        run(self._inner.__aexit__(exc_type, exc, traceback))

    def give_up(self) -> None:
        """Releases what the object holds and discards what it wrote, without waiting. It cannot be used afterwards.

        It is for finalizers, which may run in the thread of the event loop, and after that of this object.
        """
        if not self._is_given_up:
            self._runner.drop([self._taken_out()], self._discard)

    def __del__(self) -> None:
        if self._is_given_up:
            return
        calls, held = self._calls, [self._taken_out()]
        try:
            calls.warn_if_left_open(self)
        finally:
            del calls
            self._runner.drop(held, self._let_go)  # the loop empties the list, so that `inner` is collected there

    @property
    def _is_given_up(self) -> bool:
        """Whether the object was given up or finalized. Finalizers of files around it may call it afterwards."""
        return "_calls" not in self.__dict__

    def _taken_out(self) -> B:
        """Takes the inner object out of this one."""
        del self._calls
        inner: B = self.__dict__.pop("_inner")
        return inner

    @staticmethod
    async def _let_go(inner: B) -> None:
        """Releases the resources of an object that was not closed. By default there are none."""

    @staticmethod
    async def _discard(inner: B) -> None:
        """Releases the resources of an object that is given up, and discards what it wrote."""
        await inner.aclose()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._inner)[1:]}"

    def _each(self, items: AsyncIterable[T]) -> Iterator[T]:
        """Yields the items of an async iterable, and closes its iterator however the loop ends."""
        iterator: Any = aiter(items)
        try:
            while (item := self._run(_next(iterator))) is not _END:
                yield item
        finally:
            self._runner.finish(_close(iterator))


class BlockingBase(Opening):
    """The base of `BlockingOperator`: its methods other than operations.

    Arguments:
        operator: the operator to call. If calls can be made without an event loop, its stack is built again on the
            inline runtime.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """

    def __init__(self, operator: Operator) -> None:
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a BlockingOperator is made from an Operator, not {type(operator).__name__}")
        preload_blocking()
        inline = without_loop(operator)
        self._operator = operator
        self._plain = Side(operator, _background()) if inline is None else Side(inline, InlineRunner())
        self._has_two_sides = inline is not None and gains_by_loop(operator)
        self._overlapping = Side(operator, _background()) if self._has_two_sides else self._plain
        self._inner = self._plain.operator
        self._run = self._plain.run

    @property
    def info(self) -> AccessorInfo:
        """The scheme, root and name of the storage, and its capabilities."""
        return self._inner.info

    def layer(self, layer: Layer) -> Self:
        """Returns a new operator with one more layer, outermost. This operator is not changed.

        Both share their connections.

        Arguments:
            layer: the layer to add.

        Raises:
            InvalidInput: `layer` is not a `Layer`.
        """
        return type(self)(self._operator.layer(layer))

    def at(self, prefix: str) -> Self:
        """Returns a new operator whose root is a directory of this one. This operator is not changed.

        Paths and results of the new operator are relative to that directory, and no path leads out of it. The directory
        need not exist: the new operator shows it as its root anyway. `op.at("a/").at("b/")` equals `op.at("a/b/")`.
        It is short for `op.layer(PrefixLayer(prefix))`.

        Arguments:
            prefix: the directory, with a trailing slash.

        Raises:
            InvalidInput: `prefix` has no trailing slash, or is not a valid path.
        """
        return type(self)(self._operator.at(prefix))

    def walk(self, path: Path = "/") -> Iterator[tuple[str, Entries, Entries]]:
        """Yields each directory of a tree with its directories and its files, from the top down. Requires `list`.

        Directories that the caller removes from the second value are not visited, as with `os.walk`.

        Arguments:
            path: the directory to start from, with or without a trailing slash. By default the root.

        Raises:
            NotFound: the directory to start from does not exist.
        """
        side = self._overlapping
        steps = side.operator.walk(path)
        try:
            while (step := side.run(_next(steps))) is not _END:
                yield step
        finally:
            side.runner.finish(_close(steps))

    def close(self) -> None:
        """Closes the connections of this operator. The operator can still be used: it then opens new ones.

        Calling it is optional: connections close when the interpreter ends. A transport that the caller passed in is
        not closed.
        """
        self._run(self._inner.close())
        if self._has_two_sides and _has_background():
            self._overlapping.run(self._operator.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Blocking{self._operator!r}"

    def __reduce__(self) -> tuple[type[Self], tuple[Operator]]:
        return type(self), (self._operator,)

    @property
    def _uses_loop(self) -> bool:
        return self._overlapping.operator is self._operator

    def _side(self, call: str, options: Mapping[str, Any], content: object = None) -> Side:
        """Where a call runs.

        Arguments:
            call: the name of the method.
            options: its options.
            content: the content that it writes, if it does.
        """
        if self._has_two_sides:
            runs_inline = INLINE.get(call)
            if runs_inline is None or not runs_inline(options, content):
                return self._overlapping
        return self._plain

    def _opened(self, side: Side, opening: Awaitable[B]) -> B:
        """Opens a body. Ranges that a reader fetches overlap, wherever the rest of its calls runs."""
        opened = side.run(_awaited(opening))
        if side is not self._overlapping and isinstance(opened, Reader):
            fetch_on(opened, self._operator)
        return opened

    def _run_beside(
        self, operation: str, other: object, call: Callable[[Operator, Operator], Coroutine[Any, Any, T]]
    ) -> T:
        """Runs a call that takes two operators: on the background loop if one of them needs a loop."""
        if not isinstance(other, BlockingBase):
            refused = InvalidInput(f"the other operator must be a BlockingOperator, not {type(other).__name__}")
            raise refused.of_call(operation, scheme=self.info.scheme, path="/")
        return self._run_both(other, call)

    def _run_both(self, other: BlockingBase, call: Callable[[Operator, Operator], Coroutine[Any, Any, T]]) -> T:
        mine, theirs = self._overlapping, other._overlapping
        if self._uses_loop == other._uses_loop:
            return mine.run(call(mine.operator, theirs.operator))
        run = mine.run if self._uses_loop else theirs.run
        return run(call(self._operator, other._operator))

    def _bring_data(self, operation: str, path: object, data: Any) -> Any:
        """The data of a write, for its coroutine. An open file is read in the calling thread."""
        try:
            source = as_source(data)
            if is_file(source):
                source = _blocks(source)
        except InvalidInput as refused:
            refused.of_call(operation, scheme=self.info.scheme, path=shown_path(path))
            raise
        return self._bring(operation, path, source)

    def _bring(self, operation: str, path: object, items: Any) -> Any:
        """An iterable argument, for the coroutine of the operation. It is iterated in the calling thread."""
        if isinstance(items, AsyncIterable) and not isinstance(items, Iterable):
            refused = InvalidInput("an async iterable needs an async Operator")
            raise refused.of_call(operation, scheme=self.info.scheme, path=shown_path(path))
        return self._overlapping.runner.bring(items)


def _blocks(file: Any) -> Iterator[Any]:
    if is_async_file(file):
        raise InvalidInput("a file with an async read needs an async Operator")
    return blocks(file)


def _background() -> Runner:
    from entrepot.raw.runtime.background import BackgroundRunner

    return BackgroundRunner()


def _has_background() -> bool:
    """Whether the background loop runs, so that something on it may be open."""
    from entrepot.raw.runtime.background import is_running

    return is_running()


async def _next(iterator: AsyncIterator[T]) -> T:
    """The next item. An async generator thus starts on the loop, which registers it for closing."""
    return await anext(iterator, _END)


async def _close(iterator: AsyncGenerator[Any, None]) -> None:
    await iterator.aclose()


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
