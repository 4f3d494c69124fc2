"""`FutureFile`: a file that `Operator.open` returns, and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .file_mode import FileMode, open_for, start_of
from .files import READ_BUFFER, WRITE_BUFFER, AsyncFile, BinaryReader, BinaryWriter
from .future import Entered
from .options import Path
from .reader import Reader
from .text_files import TextReader, TextWriter
from .writer import Writer

if TYPE_CHECKING:
    from .operator import Operator

F = TypeVar("F", bound="AsyncFile[Any]")


class FutureFile(Entered[F]):
    """A file that is not opened yet. It can be awaited, or entered with `async with`."""


async def open_file(operator: Operator, mode: FileMode, path: Path, options: Mapping[str, Any]) -> AsyncFile[Any]:
    """Opens an object as a file.

    Raises:
        AlreadyExists: the mode is `"x"`, and the object exists.
    """
    body = await open_for(operator, path, mode, options)
    return _file_over(body, os.fspath(path), mode, await start_of(operator, path, mode))


def _file_over(body: Reader | Writer, path: str, mode: FileMode, start: int) -> AsyncFile[Any]:
    size = mode.buffering if mode.buffering > 1 or mode.buffering == 0 else None
    if isinstance(body, Reader):
        reader = BinaryReader(body, path, READ_BUFFER if size is None else size)
        return TextReader(reader, mode) if mode.is_text else reader
    writer = BinaryWriter(body, path, f"{mode.action}b", WRITE_BUFFER if size is None else size, start)
    return TextWriter(writer, mode) if mode.is_text else writer
