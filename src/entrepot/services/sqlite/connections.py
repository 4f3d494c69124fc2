"""Connections to one database, for calls of any thread, and the meaning of SQLite's errors.

Theory of operation. A call takes an idle connection or opens one, and gives it back when it ends; so there are as many
connections as calls that ran at the same time. One whose file is not that of the path any more, because another program
has deleted or replaced it, is closed instead: its writes would be lost. A call that writes opens the database for
writing, and makes the file and its table if they are missing. A call that reads leaves them missing. A forked child
leaks the connections that it inherits: closing one would act on the locks and the log of its parent.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, TypeVarTuple
from urllib.parse import quote

from entrepot.errors import (
    ConfigInvalid,
    Error,
    InvalidInput,
    PermissionDenied,
    StorageFull,
    Unexpected,
)
from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.os_errors import meaning_of, translate_os_errors
from entrepot.raw.runtime.leak import leak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core import Table

T = TypeVar("T")
Args = TypeVarTuple("Args")

_MEANINGS: Final[dict[int, tuple[type[Error], str]]] = {
    sqlite3.SQLITE_FULL: (StorageFull, "the file system or the database has no space left"),
    sqlite3.SQLITE_TOOBIG: (InvalidInput, "the value is larger than SQLite takes"),
    sqlite3.SQLITE_READONLY: (PermissionDenied, "the database cannot be written"),
    sqlite3.SQLITE_PERM: (PermissionDenied, "the file system does not permit it"),
    sqlite3.SQLITE_AUTH: (PermissionDenied, "SQLite does not permit it"),
    sqlite3.SQLITE_CANTOPEN: (PermissionDenied, "the database, or its log beside it, cannot be opened"),
    sqlite3.SQLITE_NOTADB: (ConfigInvalid, "the file is not an SQLite database"),
    sqlite3.SQLITE_CORRUPT: (Unexpected, "the database is damaged"),
    sqlite3.SQLITE_IOERR: (Unexpected, "the file system failed to read or write the database"),
    sqlite3.SQLITE_BUSY: (Unexpected, "another connection has the lock of the database"),
    sqlite3.SQLITE_LOCKED: (Unexpected, "another connection has the lock of the table"),
}
_TEMPORARY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FILES: Final = (os.devnull,) * 3
"""As many files as a connection opens: the database, its log, and the index of that."""
_PAUSE_SECONDS: Final = 0.005
_PRIMARY: Final = 0xFF
"""The bits of an error code without its extension."""


class Settings(NamedTuple):
    """How a database is opened.

    Arguments:
        path: the file.
        busy_timeout: seconds to wait for the lock of a writer.
        creates_table: whether a write makes the table if it is missing.
        fsync: whether a write is on the disk when it returns.
        is_read_only: whether nothing may be changed.
    """

    path: str
    busy_timeout: float
    creates_table: bool
    fsync: bool
    is_read_only: bool


class _Opened(NamedTuple):
    """A connection.

    Arguments:
        connection: the connection.
        file: the file that the path led to just before; None if there was none.
    """

    connection: sqlite3.Connection
    file: tuple[int, int] | None


class Connections:
    """Connections to a database.

    Arguments:
        table: makes the statements.
        settings: how the database is opened.
    """

    def __init__(self, table: Table, settings: Settings) -> None:
        self._table = table
        self._settings = settings
        self._idle = deque[_Opened]()
        _all.add(self)

    def read(self, nothing: T, call: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """Makes a call that reads. Blocks.

        Arguments:
            nothing: the result without a database, or without its table.
            call: the call.
            args: its further arguments.
        """
        try:
            return self._make("ro" if self._settings.is_read_only else "rw", call, *args)
        except _Missing as missing:
            if missing.is_table and not self._settings.creates_table:
                raise self._no_table() from None
            return nothing

    def write(self, call: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """Makes a call that writes, and makes the database and its table first if they are missing. Blocks.

        Raises:
            ConfigInvalid: the directory of the file does not exist, or the table does not and must not be made.
        """
        try:
            return self._make("rw", call, *args)
        except _Missing as missing:
            if not self._settings.creates_table:
                raise self._no_table() from None
            is_new = not missing.is_table
        self._make("rwc", self._create, is_new)
        return self._make("rw", call, *args)

    def close(self) -> None:
        """Closes the idle connections. Blocks."""
        while (opened := self._popped()) is not None:
            opened.connection.close()

    def __del__(self) -> None:
        self.close()

    def leak_inherited(self) -> None:
        """Lets go of the connections without closing them, in the child of a fork."""
        leak(self._idle)
        self._idle = deque()

    def _make(self, mode: str, call: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        with _translated():
            opened = self._take(mode)
            try:
                return call(opened.connection, *args)
            finally:
                self._give_back(opened)

    def _take(self, mode: str) -> _Opened:
        file = self._file()
        idle = self._popped()
        if idle is not None and idle.file is not None and idle.file == file:
            return idle
        if idle is not None:
            idle.connection.close()
            self.close()  # the others have the same file
        return _Opened(self._connected(mode), file)

    def _popped(self) -> _Opened | None:
        """An idle connection, if there is one. Another thread may take the last one at any time."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _file(self) -> tuple[int, int] | None:
        """What identifies the file of the path; None if there is none."""
        with translate_os_errors():
            try:
                found = os.stat(self._settings.path)  # noqa: PTH116
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_dev, found.st_ino

    def _give_back(self, opened: _Opened) -> None:
        if opened.connection.in_transaction:  # its COMMIT has failed
            opened.connection.rollback()
        self._idle.append(opened)

    def _connected(self, mode: str) -> sqlite3.Connection:
        self._check_place(mode)
        uri = f"file:{quote(self._settings.path)}?mode={mode}"
        connection = sqlite3.connect(
            uri, timeout=self._settings.busy_timeout, isolation_level=None, check_same_thread=False, uri=True
        )
        connection.text_factory = _decoded
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._settings.fsync else 'NORMAL'}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_place(self, mode: str) -> None:
        with translate_os_errors():
            if os.path.isdir(self._settings.path):  # noqa: PTH112 - without pathlib, as all of this service
                raise _invalid("connection_string names a directory")
            if mode == "rwc":
                self._check_parent()
            elif not os.path.exists(self._settings.path):  # noqa: PTH110
                raise _Missing(is_table=False)

    def _check_parent(self) -> None:
        if not os.path.isdir(os.path.dirname(self._settings.path)):  # noqa: PTH112, PTH120
            raise _invalid("the directory of the database does not exist: make it first")

    def _create(self, connection: sqlite3.Connection, is_new: bool) -> None:
        if is_new:
            self._keep_log(connection)
        self._table.create(connection)

    def _keep_log(self, connection: sqlite3.Connection) -> None:
        """Turns on the write-ahead log. SQLite itself does not wait here for others that make the database too."""
        latest = monotonic() + self._settings.busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or monotonic() >= latest:
                    raise
                sleep(_PAUSE_SECONDS)
            else:
                return

    def _no_table(self) -> ConfigInvalid:
        return _invalid("the database has no such table: make it, or set create_table")


class _Missing(Exception):
    """There is no database, or it has no table of that name."""

    def __init__(self, *, is_table: bool) -> None:
        super().__init__()
        self.is_table = is_table


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning_of(error) from error
    except OverflowError as error:  # Python's sqlite3 takes values below 2 GiB
        raise InvalidInput("the value is larger than SQLite takes") from error


def _meaning_of(error: sqlite3.Error) -> Exception:
    message = str(error)
    if message.startswith("no such table"):
        return _Missing(is_table=True)
    if message.startswith(("no such column", "table ", "ON CONFLICT")):
        return _invalid("the table lacks a column of the configuration, or its column of keys is not unique")
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code == sqlite3.SQLITE_CANTOPEN and (cause := _lack_of_files()) is not None:
        return meaning_of(cause)
    kind, meaning = _MEANINGS.get(
        code, (Unexpected, f"SQLite failed ({getattr(error, 'sqlite_errorname', 'no code')})")
    )
    return kind(meaning, is_temporary=True) if code in _TEMPORARY else kind(meaning)


def _lack_of_files() -> OSError | None:
    """The error of the system if it lets the process open no further files, for which SQLite does not say more."""
    opened = list[int]()
    try:
        opened += map(os.open, _FILES, (os.O_RDONLY,) * len(_FILES))
    except OSError as error:
        return error if is_of_too_many_files(error) else None
    finally:
        for number in opened:
            os.close(number)
    return None


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, scheme="sqlite")


def _decoded(text: bytes) -> str:
    """Text of the database. What is not UTF-8 stays, as surrogates: no path leads to such a key."""
    return text.decode("utf-8", "surrogateescape")


_all: weakref.WeakSet[Connections] = weakref.WeakSet()


def _leak_inherited() -> None:
    for connections in list(_all):
        connections.leak_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leak_inherited)
