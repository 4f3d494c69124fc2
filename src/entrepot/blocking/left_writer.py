"""What takes the place of a writer while `io` finalizes it, or a file around it.

Theory of operation. A file around a writer, such as an `io.TextIOWrapper` or an `io.BufferedWriter`, writes its end and
closes the writer when it is garbage-collected. There are two cases, which look the same at that moment:

- the program has the writer still, as in `json.dump(content, io.TextIOWrapper(writer))`, and closes it later;
- the writer is lost with the file around it, and its object must not be published.

So that close does nothing (`LeftWriter`). The end is kept in memory meanwhile and is written by the next call, because
nothing may wait in a finalizer, which may run in the thread of the event loop. The finalizer of the writer drops it.

In a cycle of garbage the writer may be finalized first. What is written to it afterwards is discarded (`LostWriter`).

Modules that finalizers use are not imported as objects: Python empties such a module before the last finalizers run.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from entrepot.facade.sources import Data
from entrepot.facade.writer import Writer
from entrepot.raw.runtime.inline import run as run_inline
from entrepot.types import Metadata


class LeftWriter:
    """A `Writer` that a garbage-collected file around it closes: that close does nothing.

    Arguments:
        writer: the writer.
        run: runs its coroutines.
    """

    def __init__(self, writer: Writer, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._writer = writer
        self._run = run
        self._kept = bytearray()
        self._is_left = True

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine of this object, without waiting while the file around is finalized."""
        return run_inline(coroutine) if self._is_left else self._run(coroutine)

    async def write(self, data: Data) -> None:
        if self._is_left:
            self._kept += data
            return
        await self._write_kept()
        await self._writer.write(data)

    async def close(self) -> Metadata:
        if self._is_left:
            self._is_left = False
            return Metadata(content_length=self.tell())
        await self._write_kept()
        return await self._writer.close()

    async def abort(self) -> None:
        self._kept = bytearray()
        await self._writer.abort()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None:
            try:
                await self._write_kept()
            except BaseException as error:
                await self._writer.__aexit__(type(error), error, error.__traceback__)
                raise
        await self._writer.__aexit__(exc_type, exc, traceback)

    def tell(self) -> int:
        return self._writer.tell() + len(self._kept)

    def __repr__(self) -> str:
        return repr(self._writer)

    async def _write_kept(self) -> None:
        if self._kept:
            await self._writer.write(self._kept)
            self._kept = bytearray()


class LostWriter:
    """The place of a `Writer` that was given up or garbage-collected. What is written to it is discarded.

    Arguments:
        size: the number of bytes that the writer had written.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    async def write(self, data: Data) -> None:
        self._size += memoryview(data).nbytes

    async def close(self) -> Metadata:
        return Metadata(content_length=self._size)

    async def abort(self) -> None:
        """Does nothing: nothing is held."""

    async def __aexit__(self, *_: object) -> None:
        """Does nothing: nothing is held."""

    def tell(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"<Writer that was given up at {self._size}>"
