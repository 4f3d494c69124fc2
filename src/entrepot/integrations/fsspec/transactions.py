"""`DeferredWriter`: an object that was written in a transaction and is published at its end."""

from __future__ import annotations

from typing import Any

from fsspec.asyn import sync

from entrepot import Writer


class DeferredWriter:
    """A member of a transaction of fsspec: written, and not published.

    Arguments:
        fs: the file system of the transaction.
        path: the path of the object.
        writer: the writer, with all data.
    """

    def __init__(self, fs: Any, path: str, writer: Writer) -> None:
        self._fs = fs
        self._path = path
        self._writer = writer

    def commit(self) -> None:
        """Publishes the object."""
        sync(self._fs.loop, self._writer.close)
        self._fs.forget_above(self._path)

    def discard(self) -> None:
        """Discards the written data."""
        sync(self._fs.loop, self._writer.abort)
