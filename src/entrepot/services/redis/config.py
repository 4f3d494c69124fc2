"""Configuration of the redis service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.settings import parse_seconds
from entrepot.types.numbers import as_integer, as_seconds

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

PLAIN: Final = frozenset({"redis", "valkey", "tcp"})
TLS: Final = frozenset({"rediss", "valkeys"})
PORT: Final = 6379


class Address(NamedTuple):
    """Where a server is: a host and a port, or the path of a socket."""

    host: str
    port: int = PORT
    is_tls: bool = False
    socket: str = ""

    @property
    def name(self) -> str:
        """The address as text."""
        return self.socket or f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Redis(ServiceConfig):
    """Objects in a Redis or Valkey server, one string for each.

    Userinfo, database and root in the endpoint (`redis://user:password@host:6379/0/root`) become `username`,
    `password`, `db` and `root`, and are removed from it.

    Arguments:
        endpoint: the URL of the server: `redis://host:6379`, `rediss://` with TLS, `valkey://` and `valkeys://` the
            same, or `unix:///path/of/socket`. A host and port alone are `redis://`.
        root: the prefix of all keys.
        db: the number of the database.
        username: the name of an ACL user. By default the default user.
        password: the password. A secret.
        default_ttl: seconds after which a written object expires. By default never.
        connection_pool_max_size: the most connections of one event loop.
        max_listed_keys: the most keys of one listing, which are kept in memory, since the server has no order.
        connect_timeout: seconds until a connection is established.
        idle_timeout: seconds until the server answers a call.
        ca_file: a file of certificates (PEM) to trust instead of the system's.
        client_certificate: a file with the certificate (PEM) that the client shows.
        client_key: the file of its key. Not shown, in case it is the key itself.
        allow_invalid_certificates: trust any certificate: for tests only.

    Raises:
        ConfigInvalid: a URL cannot be read, a number is out of bounds, options exclude each other, or the root is not
            valid Unicode without NUL, CR and LF; or the package `redis` is missing (when an operator is built).
    """

    SCHEME: ClassVar[str] = "redis"
    ALIASES: ClassVar[tuple[str, ...]] = ("rediss", "valkey", "valkeys")
    URI: ClassVar[str] = "redis://host:6379/0/some/root"

    endpoint: str = field(default="redis://127.0.0.1:6379", metadata={"aliases": ("url", "endpoint_url")})
    root: str = "/"
    db: int = field(default=0, metadata={"aliases": ("database",)})
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    default_ttl: float | None = field(default=None, metadata={"aliases": ("ttl",), "read": parse_seconds})
    connection_pool_max_size: int = field(default=32, metadata={"aliases": ("max_connections",)})
    max_listed_keys: int = 1_000_000
    connect_timeout: float = field(default=10.0, metadata={"read": parse_seconds})
    idle_timeout: float = field(default=60.0, metadata={"read": parse_seconds})
    ca_file: str | None = field(default=None, metadata={"aliases": ("ssl_ca_certs",)})
    client_certificate: str | None = field(default=None, metadata={"aliases": ("ssl_certfile",)})
    client_key: str | None = field(default=None, repr=False, metadata={"aliases": ("ssl_keyfile",)})
    allow_invalid_certificates: bool = False

    def validate(self) -> None:
        self._take_parts()
        self._check_numbers()
        if not self.address.is_tls:
            self._refuse_tls_options()
        if self.client_key is not None and self.client_certificate is None:
            raise self.invalid("client_key is set without client_certificate: set both, or neither")
        if self.username is not None and self.password is None:
            raise self.invalid("username is set without password: set both, or neither")
        self.check_root(self.root)

    def build(self, context: Context) -> Accessor:
        try:
            from .accessor import build
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "redis":
                raise
            raise self.invalid("redis needs the package redis: pip install 'entrepot[redis]'") from error
        return build(self, context, normalize_root(self.root))

    def is_same_store(self, other: ServiceConfig) -> bool:
        return isinstance(other, Redis) and (self.address, self.db) == (other.address, other.db)

    @property
    def address(self) -> Address:
        """Where the server is."""
        parts = self._split(self.endpoint)
        if parts.scheme == "unix":
            return Address("localhost", socket=unquote(parts.path))
        try:
            port = parts.port or PORT
        except ValueError:
            port = 0
        if not parts.hostname or not port:
            raise self.invalid("endpoint has no host, or a port that is not one")
        return Address(parts.hostname, port, parts.scheme in TLS)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        if not uri.authority:
            raise cls.invalid("a URI of this service names its host: redis://host:6379/0")
        return {"endpoint": f"{uri.scheme}://{uri.authority}", **_database_and_root(uri.path)}

    @classmethod
    def split_location(cls, address: str) -> tuple[str, str]:
        """Splits off the server and the number of the database, if there is one: `host:6379/0`."""
        server, _, path = address.partition("/")
        database, _, rest = path.partition("/")
        number, _, _ = database.partition("?")  # the options may follow
        return (f"{server}/{database}", rest) if _is_number(number) else (server, path)

    def _take_parts(self) -> None:
        """Moves what a URL holds besides the server to the options of their own."""
        parts = self._split(self.endpoint)
        if parts.scheme == "unix" or not (parts.username or parts.password or parts.path.strip("/")):
            return
        found: dict[str, Any] = _database_and_root(unquote(parts.path))
        found |= {"username": unquote(parts.username)} if parts.username else {}
        found |= {"password": unquote(parts.password)} if parts.password else {}
        for name, value in found.items():
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise self.invalid(f"the endpoint has {name}, which is set too: leave out one of them")
            object.__setattr__(self, name, _number(self, value) if name == "db" else value)
        object.__setattr__(self, "endpoint", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")

    def _split(self, url: str) -> Any:
        try:
            parts = urlsplit(url if "://" in url else f"redis://{url}")
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in PLAIN | TLS | {"unix"} or (parts.query or parts.fragment):
            raise self.invalid("endpoint must be redis://host:port, rediss://host:port or unix:///path")
        return parts

    def _check_numbers(self) -> None:
        try:
            as_integer("db", self.db, 0)
            as_integer("connection_pool_max_size", self.connection_pool_max_size, 1)
            as_integer("max_listed_keys", self.max_listed_keys, 1)
            for name in ("connect_timeout", "idle_timeout"):
                as_seconds(name, getattr(self, name), above=0)
            if self.default_ttl is not None:
                as_seconds("default_ttl", self.default_ttl, least=0.001)
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)

    def _refuse_tls_options(self) -> None:
        for name in ("ca_file", "client_certificate", "allow_invalid_certificates"):
            if getattr(self, name):
                raise self.invalid(f"{name} is for TLS: the endpoint of a server with TLS is rediss://")


def _database_and_root(path: str) -> dict[str, Any]:
    """The database and the root of the path of a URL: `/0/some/root`. Without a number it is all root."""
    first, _, rest = path.strip("/").partition("/")
    if not first:
        return {}
    if _is_number(first):
        return {"db": first, **({"root": f"/{rest}"} if rest else {})}
    return {"root": path}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(config: Redis, digits: str) -> int:
    if len(digits) > 9:
        raise config.invalid("the number of the database is too large")
    return int(digits)
