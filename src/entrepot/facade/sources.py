"""The sources of the data of a write: bytes in any form, and objects that yield bytes piece by piece.

The type of a source is decided in this order: an object with the buffer protocol is bytes, even if it is iterable (a
NumPy array); a path is a local file; an object with a `read` method is an open file; anything else is iterated.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from entrepot.errors import Error, InvalidInput
from entrepot.raw import OpWrite
from entrepot.raw.os_errors import translate_os_errors
from entrepot.raw.runtime import Runtime
from entrepot.types import Capability
from entrepot.types.shown import shown_type

from .buffers import Bytes, buffer_of, required_buffer
from .iterate import is_used_up, iterate
from .reader import Reader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK: Final = 1024 * 1024
"""Bytes per read of a file. One block is in memory at a time, besides what the writer holds."""


LONG: Final = 1024**3
"""Bytes above which a write passes on the length of its source. Shorter objects have equal parts anyway."""


class BinaryFile(Protocol):
    """An open binary file, such as the result of `open(path, "rb")`. It is read in a thread."""

    def read(self, n: int, /) -> ReadableBuffer:
        """Reads at most `n` bytes; no bytes are the end."""
        ...


class AsyncBinaryFile(Protocol):
    """An open binary file whose `read` is awaited, such as a file of aiofiles, anyio or Starlette."""

    def read(self, n: int, /) -> Awaitable[ReadableBuffer]:
        """Reads at most `n` bytes; no bytes are the end."""
        ...


Data: TypeAlias = "ReadableBuffer"
BlockingSource: TypeAlias = "Data | Iterable[Data] | BinaryFile | os.PathLike[str]"
Source: TypeAlias = "BlockingSource | AsyncIterable[Data] | AsyncBinaryFile"


def as_source(data: Any) -> Any:
    """Checks the data that a caller passes to a write, and turns buffers into bytes. No I/O.

    Raises:
        InvalidInput: the data is not bytes, a path, a file or an iterable of bytes.
    """
    buffer = buffer_of(data)
    if buffer is not None:
        return buffer
    if is_file(data):
        _check_file(data)
    elif not isinstance(data, os.PathLike):
        _check_iterable(data)
    return data


def is_file(source: object) -> bool:
    """Whether a source is read in blocks. A `Reader` is not: it is iterated, in the chunks that the storage sends."""
    return callable(getattr(source, "read", None)) and not isinstance(source, Reader)


def is_async_file(source: Any) -> bool:
    """Whether the `read` of a file is awaited, as far as can be determined without calling it."""
    from inspect import iscoroutinefunction  # 6 ms of `import entrepot`; the configuration of a service imports it

    return iscoroutinefunction(source.read) or (isinstance(source, AsyncIterable) and not isinstance(source, Iterable))


def pieces_of(source: Any, runtime: Runtime) -> AsyncGenerator[Any, None]:
    """The pieces of a source other than bytes. Close the generator: it closes the file that it opened."""
    if isinstance(source, os.PathLike) and not is_file(source):
        return _blocks_of_path(source, runtime)
    return _blocks_of_file(source, runtime) if is_file(source) else iterate(source)


async def expected_length(source: Any, runtime: Runtime) -> int | None:
    """The size in bytes of bytes and of regular local files, as a hint; None for other sources.

    An open file may end elsewhere, since it is read from its position. Errors of a file are left to the read of it.
    """
    if isinstance(source, Bytes):
        return len(source)
    if isinstance(source, os.PathLike) and not is_file(source):
        return await runtime.blocking(_regular_length, partial(os.stat, source))
    if isinstance(source, io.BufferedReader | io.FileIO):
        return await runtime.blocking(_regular_length, lambda: os.fstat(source.fileno()))
    return None


def _regular_length(describe: Callable[[], os.stat_result]) -> int | None:
    try:
        found = describe()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def longest_whole(capability: Capability) -> int:
    """The most bytes that may be stored by one call: not too many, and no more than a check of a writer lets pass."""
    most = capability.write_total_max_size
    return LONG if most is None else min(most, LONG)


def may_be_stored_whole(source: Any, longest: int) -> bool:
    """Whether a source may be stored by one call: some bytes, up to `longest_whole`."""
    return isinstance(source, Bytes) and 0 < len(source) <= longest


def with_length_of(args: OpWrite, length: int | None) -> OpWrite:
    """The arguments of a write with the length as a hint, unless the object is too short for that to matter."""
    if length is None or length <= LONG:
        return args
    from dataclasses import replace  # `import entrepot` does without it, since it imports `inspect`

    return replace(args, content_length_hint=length)


def blocks(file: BinaryFile) -> Generator[Bytes, None, None]:
    """The blocks of an open file, read in the calling thread. The file stays open."""
    while block := _block(_read(file)):
        yield block


async def _blocks_of_file(file: Any, runtime: Runtime) -> AsyncGenerator[Bytes, None]:
    """The blocks of an open file, which stays open.

    A cancelled read in a thread is waited for: the caller closes the file next, and the descriptor's number would be
    given to another file while the thread still reads from it.
    """
    read: Callable[[], Awaitable[Any]] = partial(file.read, BLOCK)
    if not is_async_file(file):
        read = partial(runtime.shield, partial(runtime.blocking, _read, file))
    while block := _block(await _awaited(file, read)):
        yield block


async def _awaited(file: object, read: Callable[[], Awaitable[Any]]) -> Any:
    """A block, also of a `read` that returns an awaitable without being a coroutine function."""
    from inspect import isawaitable

    with _refusal_of(file):
        block = await read()
        return await block if isawaitable(block) else block


async def _blocks_of_path(path: os.PathLike[str], runtime: Runtime) -> AsyncGenerator[bytes, None]:
    """The blocks of a local file."""
    with errors_of_file(path):
        file, _ = await runtime.open_file(lambda: (io.FileIO(path), None))
    try:
        while block := await _read_block(path, file.run):
            yield block
    finally:
        await file.close()


async def _read_block(path: os.PathLike[str], run: Callable[..., Awaitable[bytes]]) -> bytes:
    with errors_of_file(path):
        return await run(io.FileIO.read, BLOCK)


@contextmanager
def errors_of_file(path: str | os.PathLike[str]) -> Generator[None, None, None]:
    """Translates errors of the operating system, and adds the path of the local file to their context."""
    try:
        with translate_os_errors():
            yield
    except Error as error:
        error.add_context(source=os.fspath(path))
        raise


def _read(file: BinaryFile) -> Any:
    with _refusal_of(file):
        return file.read(BLOCK)


@contextmanager
def _refusal_of(file: object) -> Generator[None, None, None]:
    """Translates the error of a file that is open for writing only. Other errors of a source are not changed."""
    try:
        yield
    except io.UnsupportedOperation as error:
        if isinstance(error, Error):
            raise
        raise InvalidInput(f"the {type(file).__name__} is not open for reading") from error


def _block(data: object) -> Bytes:
    """Checks the type of a block, before an empty block is taken for the end of the file."""
    return required_buffer(data, "; open the file in binary mode")


def _check_file(file: Any) -> None:
    if isinstance(file, io.TextIOBase):
        raise InvalidInput(f"data is bytes, and a {type(file).__name__} gives text; open the file in binary mode")
    if getattr(file, "closed", False) is True:
        raise InvalidInput(f"the {type(file).__name__} is closed")


def _check_iterable(data: Any) -> None:
    if isinstance(data, str):
        raise InvalidInput("data is bytes, not str; encode it first")
    if isinstance(data, Mapping | AbstractSet) or not isinstance(data, Iterable | AsyncIterable):
        raise InvalidInput(f"data is bytes, a file, or an iterator of bytes, not {shown_type(data)}")
    if is_used_up(data):
        raise InvalidInput("the generator has ended; pass a new one to repeat a write")
