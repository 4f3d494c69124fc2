"""Configuration of the postgresql service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.settings import parse_seconds
from entrepot.types.numbers import as_integer, as_seconds

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

SCHEMES: Final = ("postgresql", "postgres")
MAX_PORT: Final = 65_535
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class Postgresql(ServiceConfig):
    """Objects in a table of a PostgreSQL database, one row for each.

    Userinfo in the connection string becomes `username` and `password`, and is removed from it.

    Arguments:
        connection_string: the URL of the database, `postgresql://host:5432/name`, with the options that libpq has in
            its query, such as `sslmode`.
        table: the table of the objects; a schema may stand before a dot.
        key_field: its column of keys: text, and unique.
        value_field: its column of contents: bytea.
        root: the prefix of all keys.
        username: the role to log in as. By default the one of the environment (`PGUSER`), or of the process.
        password: its password. A secret. By default `PGPASSWORD` or the file `~/.pgpass`.
        create_table: whether the first write makes the table if it does not exist.
        sslmode: how TLS is used, by the words of libpq, such as `"verify-full"`. By default as the connection string
            says, or `"prefer"`.
        ca_file: a file of certificates (PEM) to trust, for the two modes that verify.
        client_certificate: a file with the certificate (PEM) that the client shows.
        client_key: the file of its key. Not shown, in case it is the key itself.
        connection_pool_max_size: the most connections of one event loop.
        statement_cache_size: the prepared statements that a connection keeps. 0 for PgBouncer before 1.21 in its modes
            of transactions and statements.
        connect_timeout: seconds until a connection is established.
        idle_timeout: seconds until the server has answered a call.

    Raises:
        ConfigInvalid: the connection string cannot be read, a name is empty, a number is out of bounds, options exclude
            each other, or the root is not valid Unicode without NUL, CR and LF; or the package `asyncpg` is missing
            (when an operator is built).
    """

    SCHEME: ClassVar[str] = "postgresql"
    ALIASES: ClassVar[tuple[str, ...]] = ("postgres",)
    URI: ClassVar[str] = "postgresql://host:5432/database?root=/some/root"

    connection_string: str = field(repr=False, metadata={"aliases": ("url", "dsn")})
    table: str = "objects"
    key_field: str = "key"
    value_field: str = "value"
    root: str = "/"
    username: str | None = field(default=None, repr=False, metadata={"aliases": ("user",)})
    password: str | None = field(default=None, repr=False)
    create_table: bool = False
    sslmode: str | None = field(default=None, metadata={"aliases": ("ssl_mode",)})
    ca_file: str | None = field(default=None, metadata={"aliases": ("sslrootcert",)})
    client_certificate: str | None = field(default=None, metadata={"aliases": ("sslcert",)})
    client_key: str | None = field(default=None, repr=False, metadata={"aliases": ("sslkey",)})
    connection_pool_max_size: int = field(default=10, metadata={"aliases": ("max_connections",)})
    statement_cache_size: int = 100
    connect_timeout: float = field(default=10.0, metadata={"read": parse_seconds})
    idle_timeout: float = field(default=60.0, metadata={"read": parse_seconds})

    def validate(self) -> None:
        self._take_userinfo()
        for name in ("table", "key_field", "value_field"):
            if not all(getattr(self, name).split(".")) or "\0" in getattr(self, name):
                raise self.invalid(f"{name} must be a name, and is empty or has a NUL")
        if self.key_field == self.value_field:
            raise self.invalid("key_field and value_field are the same column")
        if not {self.sslmode, self._query.get("sslmode")} <= {*SSL_MODES, None}:
            raise self.invalid(f"sslmode must be one of {', '.join(SSL_MODES)}")
        if (self.client_certificate is None) != (self.client_key is None):
            raise self.invalid("client_certificate and client_key belong together: set both, or neither")
        self._check_numbers()
        self.check_root(self.root)

    def build(self, context: Context) -> Accessor:
        try:
            from .accessor import build
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "asyncpg":
                raise
            raise self.invalid("postgresql needs asyncpg: pip install 'entrepot[postgresql]'") from error
        return build(self, context, normalize_root(self.root))

    def is_same_store(self, other: ServiceConfig) -> bool:
        return isinstance(other, Postgresql) and self.place == other.place

    @property
    def place(self) -> tuple[str, str, str, str]:
        """The database, the table and its columns."""
        return self.connection_string, self.table, self.key_field, self.value_field

    @property
    def dsn(self) -> str:
        """The connection string with the options that belong to TLS. It has no password."""
        options = {
            "sslmode": self.sslmode,
            "sslrootcert": self.ca_file,
            "sslcert": self.client_certificate,
            "sslkey": self.client_key,
        }
        query = self._query | {name: value for name, value in options.items() if value is not None}
        parts = urlsplit(self.connection_string)
        return parts._replace(query=urlencode(query, quote_via=quote)).geturl()

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"connection_string": f"{uri.scheme}://{uri.authority}{quote(uri.path, errors='surrogatepass')}"}

    @classmethod
    def split_location(cls, address: str) -> tuple[str, str]:
        """Splits off the server and the database: `host:5432/name`."""
        server, _, rest = address.partition("/")
        database, _, path = rest.partition("/")
        return (f"{server}/{database}" if database else server), path

    def _take_userinfo(self) -> None:
        parts = self._parts()
        userinfo, at, rest = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        for name, value in (("username", user), ("password", password)):
            if value and getattr(self, name) is not None:
                raise self.invalid(f"connection_string has a {name}, which is set too: leave out one of them")
            if value:
                object.__setattr__(self, name, unquote(value))
        if at:
            object.__setattr__(self, "connection_string", parts._replace(netloc=rest).geturl())

    @property
    def _query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.connection_string).query))

    def _parts(self) -> SplitResult:
        try:
            self.connection_string.encode()  # which refuses lone surrogates, as a ValueError
            parts = urlsplit(self.connection_string)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in SCHEMES or parts.fragment or not self.connection_string.isprintable():
            raise self.invalid("connection_string must be a URL: postgresql://host:5432/database")
        if "password" in self._query:
            raise self.invalid("connection_string has a password in its query: set the option password")
        hosts = parts.netloc.rpartition("@")[2].split(",")
        ports = [*map(_port, hosts), *self._query.get("port", "").split(",")]
        if not all(port.isdecimal() and 0 < int(port) <= MAX_PORT for port in ports if port):
            raise self.invalid(f"a port of connection_string is not a number from 1 to {MAX_PORT}")
        return parts

    def _check_numbers(self) -> None:
        try:
            as_integer("connection_pool_max_size", self.connection_pool_max_size, 1)
            as_integer("statement_cache_size", self.statement_cache_size, 0)
            for name in ("connect_timeout", "idle_timeout"):
                as_seconds(name, getattr(self, name), above=0)
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)


def _port(place: str) -> str:
    """The port of `host:5432` or `[::1]:5432`; empty if there is none."""
    return place.rpartition("]")[2].partition(":")[2]
