"""Configuration of the sqlite service."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.types.numbers import as_seconds

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_PREFIX = "sqlite:"
_MEMORY = ":memory:"
_ADDRESS = re.compile(
    r"(?P<file>.*?\.(?:db|db3|sqlite|sqlite3|s3db)(?=[/?]|\Z)|[^?]*)(?P<options>\?[^/]*)?/?(?P<key>.*)", re.DOTALL
)
"""A URI without its scheme. The file ends at the extension of a database, or else at its options."""


@dataclass(frozen=True)
class Sqlite(ServiceConfig):
    """Objects in a table of an SQLite database, one row for each.

    The database and its table are made by the first write. A database that exists keeps its journal mode; a new one
    has a write-ahead log (WAL), with which readers and the writer do not wait for each other.

    Arguments:
        connection_string: the file of the database, as a path or as `sqlite:///absolute/path`. A relative path is made
            absolute when the configuration is made.
        table: the table of the objects.
        key_field: its column of keys, which must be unique.
        value_field: its column of contents.
        root: the prefix of all keys.
        busy_timeout: seconds for which a write waits for another writer, of this process or any other.
        create_table: whether the first write makes the table if it does not exist.
        fsync: whether each write is forced to the disk before it returns. Without it a power failure may undo the
            last writes; the database stays whole.

    Raises:
        ConfigInvalid: a name is empty or has a NUL, the file cannot be one, `busy_timeout` is negative, or the root is
            not valid Unicode without NUL, CR and LF.
    """

    SCHEME: ClassVar[str] = "sqlite"
    URI: ClassVar[str] = "sqlite:///some/file.db?root=/some/root"
    NEEDS_LOOP: ClassVar[bool] = False

    connection_string: str = field(metadata={"aliases": ("path", "database", "datafile")})
    table: str = "objects"
    key_field: str = "key"
    value_field: str = "value"
    root: str = "/"
    busy_timeout: float = 5.0
    create_table: bool = True
    fsync: bool = False

    if TYPE_CHECKING:  # a path is taken and becomes text (`ServiceConfig`), which a field has no type for

        def __init__(  # noqa: PLR0913, PLR0917 - each is a field
            self,
            connection_string: str | os.PathLike[str],
            table: str = "objects",
            key_field: str = "key",
            value_field: str = "value",
            root: str = "/",
            busy_timeout: float = 5.0,
            create_table: bool = True,  # noqa: FBT002 - as the field is
            fsync: bool = False,  # noqa: FBT002
        ) -> None: ...

    def validate(self) -> None:
        object.__setattr__(self, "connection_string", self._absolute_path())
        for name in ("table", "key_field", "value_field"):
            if not getattr(self, name) or "\0" in getattr(self, name):
                raise self.invalid(f"{name} must be a name, and is empty or has a NUL")
        if self.key_field.lower() == self.value_field.lower():
            raise self.invalid("key_field and value_field are the same column")
        self._check_timeout()
        self.check_root(self.root)

    def build(self, context: Context) -> Accessor:
        from .accessor import build

        return build(self, context, normalize_root(self.root))

    def is_same_store(self, other: ServiceConfig) -> bool:
        return isinstance(other, Sqlite) and self.place == other.place

    @property
    def place(self) -> tuple[str, str, str, str]:
        """The file, the table and its columns."""
        return self.connection_string, self.table, self.key_field, self.value_field

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> Mapping[str, Any]:  # type: ignore[override]
        return {"connection_string": uri.authority + uri.path} if uri.authority + uri.path else {}

    @classmethod
    def split_location(cls, address: str) -> tuple[str, str]:
        """Splits off the file of the database and its options: `/dir/objects.db?table=t`.

        The file ends at the first extension `.db`, `.db3`, `.sqlite`, `.sqlite3` or `.s3db`, or else at its options. A
        file without either is the whole address.
        """
        parts = _ADDRESS.fullmatch(address)
        assert parts is not None
        return f"{parts['file']}{parts['options'] or ''}", parts["key"]

    def _absolute_path(self) -> str:
        path = self.connection_string
        if path.startswith(_PREFIX):
            path = path.removeprefix(_PREFIX).removeprefix("//")
        path = f"/{path.lstrip('/')}" if path.startswith("//") else path  # SQLAlchemy has four slashes before it
        if not path or path.endswith("/") or "\0" in path:
            raise self.invalid("connection_string must be the path of a file, and is empty, a directory, or has a NUL")
        if path == _MEMORY:
            raise self.invalid("connection_string names no file: for objects in memory use Memory()")
        if "?" in path and path != self.connection_string:
            raise self.invalid("connection_string has options after '?', which are not supported")
        try:
            return os.path.abspath(path)  # noqa: PTH100 - pathlib would double the time of building
        except FileNotFoundError:
            raise self.invalid("connection_string is relative to a working directory that is gone") from None

    def _check_timeout(self) -> None:
        try:
            as_seconds("busy_timeout", self.busy_timeout, least=0)
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)
