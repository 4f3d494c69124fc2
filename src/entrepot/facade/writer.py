"""What `writer` gives: one object, to be written piece by piece and published at the end."""

from __future__ import annotations

import warnings
from contextlib import aclosing
from types import TracebackType
from typing import Any

from entrepot.errors import ContentIncomplete, ContentTruncated, Error, InvalidInput, Unsupported
from entrepot.raw import AccessorInfo, Context, OpWrite, oio
from entrepot.raw.runtime import Runtime
from entrepot.types import Metadata
from entrepot.types.records import replace

from .buffers import Bytes, bytes_of
from .exclusive import Exclusive, Opened
from .sources import Data, pieces_of


class Writer(Opened):
    """An object that is being written. Made by `Operator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `async with` closes it at the end, and
    aborts when the block is left by an exception or a cancellation: then nothing appears, and nothing is
    left on the storage. Only a `close` that is cancelled, or whose reply is lost, may have published. After a
    temporary error or a timeout the same call can be made again.

    One task at a time uses a writer. Every method may raise what the storage answers:
    `PermissionDenied`, `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`; and `InvalidInput`
    when the writer is closed, aborted or in use.
    """

    def __init__(self, context: Context, info: AccessorInfo, path: str, args: OpWrite, body: oio.Write) -> None:
        self._context = context
        self._calls = Exclusive("writer", info.scheme, path)
        self._output = Output(info, args, body)

    async def write(self, data: Data) -> None:
        """Takes more bytes. They are sent now or by `close` at the latest.

        Arguments:
            data: the bytes: `bytes`, or any contiguous object with the buffer protocol. What can be changed is
                copied, so a buffer can be used again at once.

        Raises:
            InvalidInput: `data` is not bytes, or the object would be larger than the service takes.
        """
        await self._calls.use("write", self._output.write, data)

    async def close(self) -> Metadata:
        """Publishes the object and returns what the storage says of it, its length at least.

        Closing twice is closing once.
        """
        metadata = await self._calls.use("close", self._output.close)
        self._calls.has_ended = True
        return metadata

    async def aclose(self) -> None:
        """Publishes the object, as `close` does, unless it was published or aborted before.

        It is for code that closes any resource by `aclose`. `contextlib.aclosing` does not see whether its block
        failed, and publishes what was written until then; `async with` on the writer itself aborts instead.
        """
        if not self._calls.has_ended:
            await self.close()

    async def abort(self) -> None:
        """Drops what was written, also when the caller is cancelled meanwhile. After `close` it does nothing.

        What an appending writer has already appended stays.
        """
        await self._calls.use("abort", self._context.runtime.shield, self._abort)

    def tell(self) -> int:
        """How many bytes were written by this writer."""
        return self._output.size

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._calls.has_ended:
            return
        if exc is not None:
            await self._abort_because(exc)
            return
        try:
            await self.close()
        except BaseException as error:
            await self._abort_because(error)
            raise

    def __del__(self) -> None:
        if not self._calls.has_ended and self._output.size:
            warnings.warn(f"{self!r} was neither closed nor aborted", ResourceWarning, stacklevel=1, source=self)

    def __repr__(self) -> str:
        return f"<{self._calls!r} at {self.tell()}>"

    async def _abort(self) -> None:
        await self._output.abort()
        self._calls.has_ended = True

    async def _abort_because(self, cause: BaseException) -> None:
        """Aborts; what goes wrong with that is told beside the cause."""
        try:
            await self.abort()
        except Error as error:
            self._calls.has_ended = True
            _note(cause, error)


class Output:
    """A body that is written to, with the checks that hold for every service.

    Arguments:
        info: the accessor that the body is of.
        args: what was asked.
        body: what is written to.
    """

    __slots__ = ("_args", "_body", "_capability", "size")

    def __init__(self, info: AccessorInfo, args: OpWrite, body: oio.Write) -> None:
        self._args = args
        self._body = body
        self._capability = info.capability
        self.size = 0

    async def write(self, data: Data) -> None:
        """Writes bytes. What can be changed is copied, for the caller may change it at once."""
        await self._pass_on(bytes_of(data))

    async def write_all(self, source: Any, runtime: Runtime) -> None:
        """Writes all of a source that `as_source` gave. An iterator is closed in the end."""
        if isinstance(source, Bytes):
            await self._pass_on(source)  # the caller waits until it is stored, so no copy is needed
            return
        async with aclosing(pieces_of(source, runtime)) as pieces:
            async for data in pieces:
                await self.write(data)

    async def close(self) -> Metadata:
        """Publishes the object and checks that it has as many bytes as were written."""
        if not self.size and not self._capability.write_can_empty and not self._args.append:
            raise Unsupported("the service cannot store an object without bytes")
        metadata = await self._body.close()
        if self._args.append or metadata.content_length == self.size:
            return metadata
        if metadata.content_length is None:
            return replace(metadata, content_length=self.size)
        kind = ContentIncomplete if metadata.content_length < self.size else ContentTruncated
        raise kind(f"{self.size} bytes were written, and {metadata.content_length} were stored", is_temporary=False)

    async def abort(self) -> None:
        """Drops what was written."""
        await self._body.abort()

    async def _pass_on(self, data: Bytes) -> None:
        size = len(data)
        limit = self._capability.write_total_max_size
        if limit is not None and self.size + size > limit:
            raise InvalidInput(f"the object would have more than {limit} bytes, the most that the service takes")
        if size:
            await self._body.write(data)
            self.size += size


async def write_source(context: Context, output: Output, source: Any) -> Metadata:
    """Writes all of a source that `as_source` gave and publishes it; when that fails, nothing of it is left."""
    try:
        await output.write_all(source, context.runtime)
        return await output.close()
    except BaseException as cause:
        try:
            await context.runtime.shield(output.abort)
        except Error as error:
            _note(cause, error)
        raise


def _note(cause: BaseException, error: Error) -> None:
    cause.add_note(f"and what was written could not be dropped: {error.kind}: {error}")
