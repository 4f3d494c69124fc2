"""Configuration of the ftp service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import SplitResult

from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.settings import parse_seconds
from entrepot.raw.login_endpoint import host_and_port, split_endpoint, take_login
from entrepot.types.records import replace

if TYPE_CHECKING:
    from dataclasses import dataclass

    from entrepot.raw.pool import Pool

    from .session import FtpSession
else:
    from entrepot.types.records import dataclass

SCHEMES: Final = frozenset({"ftp", "ftps"})

PORT: Final = 21

IMPLICIT_TLS_PORT: Final = 990
"""The port on which TLS starts with the connection, and not by a command."""


@dataclass(frozen=True)
class Ftp(ServiceConfig):
    """Files on an FTP server, plain or over TLS.

    Arguments:
        endpoint: the server: `ftp://host:port`, or `ftps://host:port` for TLS; `host` alone is the same as `ftp://host`.
            It may have `user:password@`. TLS starts by a command (RFC 4217), on port 990 with the connection.
        root: the directory that paths are relative to, from the root of the server.
        user: the name to log in with.
        password: the password. A secret.
        ca_file: a file of certificates to trust instead of the system's.
        allow_invalid_certificates: whether any certificate of the server is trusted. For tests only.
        connect_timeout: seconds in which the server must accept a connection.
        timeout: seconds without a byte after which a command or a transfer fails.
        idle_timeout: seconds without use after which a connection is closed.
        max_connections: the most connections of one event loop. Each open reader, and each call, takes one.

    Raises:
        ConfigInvalid: the endpoint is not one, a number is not positive, options of TLS are set without TLS, or a value
            has a line break.
    """

    SCHEME: ClassVar[str] = "ftp"
    ALIASES: ClassVar[tuple[str, ...]] = ("ftps",)
    URI: ClassVar[str] = "ftp://host/some/root"

    endpoint: str = field(metadata={"aliases": ("host",)})
    root: str = "/"
    user: str = field(default="anonymous", metadata={"aliases": ("username",)})
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    allow_invalid_certificates: bool = False
    connect_timeout: float = field(default=30.0, metadata={"read": parse_seconds})
    timeout: float = field(default=60.0, metadata={"read": parse_seconds})
    idle_timeout: float = field(default=60.0, metadata={"read": parse_seconds})
    max_connections: int = 16

    def validate(self) -> None:
        self._take_userinfo(self._parts())
        for name in ("connect_timeout", "timeout", "idle_timeout", "max_connections"):
            if not getattr(self, name) > 0:
                raise self.invalid(f"{name} must be more than 0")
        for name in ("user", "password"):
            if not (getattr(self, name) or "").isprintable():
                raise self.invalid(f"{name} has control characters")
        if not self.is_secure and (self.ca_file or self.allow_invalid_certificates):
            raise self.invalid("ca_file and allow_invalid_certificates need an endpoint with ftps://")
        self.check_root(self.root)
        if ".." in self.root.split("/"):
            raise self.invalid("root must not have a name '..'")

    @property
    def host(self) -> str:
        """The host."""
        return self._parts().hostname or ""

    @property
    def port(self) -> int:
        """The port."""
        return self._parts().port or PORT

    @property
    def is_secure(self) -> bool:
        """Whether connections have TLS."""
        return self._parts().scheme == "ftps"

    @property
    def has_implicit_tls(self) -> bool:
        """Whether TLS starts with the connection."""
        return self.is_secure and self.port == IMPLICIT_TLS_PORT

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are the same login on the same server, root included."""
        return self == other

    def build(self, context: Context) -> Accessor:
        try:
            from .accessor import FtpAccessor
            from .connect import connect
        except ImportError as error:
            if error.name != "aioftp":
                raise
            raise self.invalid("ftp needs aioftp: pip install 'entrepot[ftp]'") from error
        from entrepot.raw.pool import Pool, shared_pool

        runtime = context.runtime

        def make() -> Pool[FtpSession]:
            return Pool(
                runtime, lambda: connect(runtime, self), limit=self.max_connections, idle_seconds=self.idle_timeout
            )

        sessions = shared_pool(context, replace(self, root="/"), make)
        return FtpAccessor(runtime, sessions, normalize_root(self.root), self.host)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": f"{uri.scheme}://{uri.authority}", "root": uri.path}

    def _parts(self) -> SplitResult:
        return split_endpoint(self, self.endpoint, "ftp", SCHEMES, "ftp://host:port or ftps://host:port")

    def _take_userinfo(self, parts: SplitResult) -> None:
        """Moves a user and a password of the endpoint to the fields of their own."""
        take_login(self, parts, "anonymous")
        object.__setattr__(self, "endpoint", f"{parts.scheme}://{host_and_port(parts)}")
