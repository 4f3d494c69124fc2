"""`Writer`: an object that is written piece by piece and published at the end."""

from __future__ import annotations

import os
import warnings
from contextlib import aclosing
from types import TracebackType
from typing import Any

from entrepot.errors import ContentIncomplete, ContentTruncated, Error, InvalidInput, Unsupported
from entrepot.raw import Accessor, AccessorInfo, Context, OpWrite, WholeWrite, oio
from entrepot.raw.runtime import Runtime
from entrepot.types import Metadata
from entrepot.types.records import replace

from .buffers import Bytes, bytes_of
from .exclusive import Exclusive, Opened
from .sources import Data, pieces_of


class Writer(Opened):
    """Writes an object piece by piece. Made by `Operator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `async with` closes the writer at the end of the
    block. If the block fails or is cancelled, it aborts the writer instead: the object is unchanged, and nothing is
    left on the storage. Only a `close` that is cancelled, or whose response is lost, may have published the object.
    After a temporary error or a timeout the same call can be made again.

    One task at a time may use a writer. Every method may raise the errors of the storage (`PermissionDenied`,
    `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`), and `InvalidInput` if the writer is closed, aborted,
    in use by another task, or used in a forked child of the process that opened it.
    """

    def __init__(self, context: Context, info: AccessorInfo, path: str, args: OpWrite, body: oio.Write) -> None:
        self._context = context
        self._calls = Exclusive("writer", info.scheme, path, process=os.getpid())
        self._output = Output(info, args, body)

    async def write(self, data: Data) -> None:
        """Adds bytes to the object. They are sent now, or by `close` at the latest.

        Arguments:
            data: `bytes`, or any contiguous object with the buffer protocol. Mutable memory is copied, so the caller
                may reuse a buffer at once.

        Raises:
            InvalidInput: `data` is not bytes, or the object would be larger than the service allows.
        """
        await self._calls.use("write", self._output.write, data)

    async def close(self) -> Metadata:
        """Publishes the object and returns its metadata, at least its length.

        Closing it again has no effect and returns the same metadata.
        """
        metadata = await self._calls.use("close", self._output.close)
        self._calls.has_ended = True
        return metadata

    async def aclose(self) -> None:
        """Publishes the object, as `close` does, unless it was published or aborted before.

        The name is the one that `contextlib.aclosing` and anyio use. Neither passes on whether the block failed, so the
        object is published then as well; `async with` on the writer itself aborts instead.
        """
        if not self._calls.has_ended:
            await self.close()

    async def abort(self) -> None:
        """Discards the written data, also if the caller is cancelled during the call. No effect after `close`.

        Data that an appending writer has already appended is kept. No effect in a forked child of the process that
        opened the writer, which may still write.
        """
        if self._calls.is_inherited:
            self._calls.has_ended = True
            return
        await self._calls.use("abort", self._context.runtime.shield, self._abort)

    def tell(self) -> int:
        """Returns the number of bytes written by this writer. No I/O."""
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
        if not self._calls.has_ended and self._output.size and not self._calls.is_inherited:
            warnings.warn(f"{self!r} was neither closed nor aborted", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<{self._calls!r} at {self.tell()}>"

    async def _abort(self) -> None:
        await self._output.abort()
        self._calls.has_ended = True

    async def _abort_because(self, cause: BaseException) -> None:
        """Aborts. An error of the abort becomes a note of the cause."""
        try:
            await self.abort()
        except Error as error:
            self._calls.has_ended = True
            _note(cause, error)


class Output:
    """The body of a write, with the checks that are the same for every service.

    Arguments:
        info: describes the service.
        args: the arguments of the write.
        body: the raw writer.

    Attributes:
        size: the number of bytes written so far.
    """

    __slots__ = ("_args", "_body", "_capability", "size")

    def __init__(self, info: AccessorInfo, args: OpWrite, body: oio.Write) -> None:
        self._args = args
        self._body = body
        self._capability = info.capability
        self.size = 0

    async def write(self, data: Data) -> None:
        """Writes bytes. Mutable memory is copied, because the caller may change it at once."""
        await self._pass_on(bytes_of(data))

    async def write_all(self, source: Any, runtime: Runtime) -> None:
        """Writes all data of a source that `as_source` returned. An iterator is closed at the end."""
        if isinstance(source, Bytes):
            await self._pass_on(source)  # the caller waits until it is stored, so no copy is needed
            return
        async with aclosing(pieces_of(source, runtime)) as pieces:
            async for data in pieces:
                await self.write(data)

    async def close(self) -> Metadata:
        """Publishes the object and checks that the stored length is the written length."""
        if not self.size and not self._capability.write_can_empty and not self._args.append:
            raise Unsupported("the service cannot store an empty object")
        metadata = await self._body.close()
        return metadata if self._args.append else with_checked_length(metadata, self.size)

    async def abort(self) -> None:
        """Discards the written data."""
        await self._body.abort()

    async def _pass_on(self, data: Bytes) -> None:
        size = len(data)
        limit = self._capability.write_total_max_size
        if limit is not None and self.size + size > limit:
            raise InvalidInput(f"the object would be larger than {limit} bytes, the most that the service allows")
        if size:
            await self._body.write(data)
            self.size += size


def with_checked_length(metadata: Metadata, size: int) -> Metadata:
    """Returns the metadata of a stored object with its length.

    Raises:
        ContentIncomplete: fewer than `size` bytes were stored.
        ContentTruncated: more bytes were stored.
    """
    if metadata.content_length == size:
        return metadata
    if metadata.content_length is None:
        return replace(metadata, content_length=size)
    kind = ContentIncomplete if metadata.content_length < size else ContentTruncated
    raise kind(f"{size} bytes were written, but {metadata.content_length} were stored", is_temporary=False)


async def store_whole(context: Context, accessor: Accessor, path: str, data: Bytes, args: OpWrite) -> Metadata:
    """Stores an object whose content is known, by one call where the stack can do that and by a body otherwise.

    `may_be_stored_whole` says for which content.
    """
    return await finish_whole(context, accessor, await accessor.write_whole(path, data, args), data, args)


async def finish_whole(
    context: Context, accessor: Accessor, stored: WholeWrite, data: Bytes, args: OpWrite
) -> Metadata:
    """Does what is left after `Accessor.write_whole`: checks the length, or writes the data to the opened body."""
    if not isinstance(stored, tuple):
        return with_checked_length(stored, len(data))
    return await write_source(context, Output(accessor.info, args, stored[1]), data)


async def write_source(context: Context, output: Output, source: Any) -> Metadata:
    """Writes all data of a source that `as_source` returned and publishes it. If that fails, the write is aborted."""
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
    cause.add_note(f"the written data could not be discarded either: {error.kind}: {error}")
