"""What a command writes: results on the standard output, as text or as JSON lines, and everything else on the error."""

from __future__ import annotations

import errno
import json
import os
import sys
from datetime import datetime
from io import TextIOWrapper
from typing import Any, TextIO

from entrepot import Entry, Metadata

from .exit_codes import one_line
from .patient_thread import PatientThread


class Output:
    """The standard output of a command.

    Arguments:
        is_json: write records as JSON, one a line, instead of text.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self._stream: TextIO | None = None
        self._is_terminal = False
        self._thread = PatientThread()

    def show(self, text: str, /, **record: Any) -> None:
        """Writes one result: the text, or the record with `--json`."""
        stream = standard_output()
        if stream is not self._stream:  # each look is a system call
            self._stream, self._is_terminal = stream, stream.isatty()
            _escape_what_cannot_be_encoded(stream)
        if self.is_json:
            text = json.dumps(record, default=plain_value)
        elif self._is_terminal:
            text = "\n".join(map(one_line, text.split("\n")))
        stream.write(f"{text}\n")

    async def write(self, data: bytes) -> None:
        """Writes content, in a thread: a pipe may wait for its reader."""
        stream = standard_output()
        stream.flush()
        await self._thread.call(_write, stream.fileno(), data)


def standard_output() -> TextIO:
    """The standard output.

    Raises:
        OSError: the command was started without one.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "the standard output is closed")
    return sys.stdout


def _escape_what_cannot_be_encoded(stream: TextIO) -> None:
    """Lets a name be shown escaped where the encoding of the terminal lacks a character, as the standard error does."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def warn(text: str) -> None:
    """Writes a line to the standard error, if the command was started with one."""
    if sys.stderr is not None:
        sys.stderr.write(f"{one_line(text)}\n")


def record_of(entry: Entry, uri: str) -> dict[str, Any]:
    """An entry of a listing as a record."""
    return {"uri": uri, "path": entry.path, **record_of_metadata(entry.metadata)}


def record_of_metadata(metadata: Metadata) -> dict[str, Any]:
    """The known fields of metadata as a record."""
    known = {
        "type": "directory" if metadata.is_dir else "file",
        "size": None if metadata.is_dir else metadata.content_length,
        "last_modified": metadata.last_modified,
        "etag": metadata.etag,
        "version": metadata.version,
        "content_type": metadata.content_type,
        "content_encoding": metadata.content_encoding,
        "content_disposition": metadata.content_disposition,
        "content_language": metadata.content_language,
        "cache_control": metadata.cache_control,
        "user_metadata": dict(metadata.user_metadata) if metadata.user_metadata else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def shown_time(time: datetime | None) -> str:
    """A time as listings show it, in the zone of this machine; blank if it is unknown."""
    return " " * 19 if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def plain_value(value: Any) -> Any:
    """A value of a record that JSON has no type for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _write(descriptor: int, data: bytes) -> None:
    """Writes all of the data without the lock of a buffer: a program whose thread holds it at the end is aborted."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
