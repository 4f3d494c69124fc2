"""Configuration of the sftp service."""

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

    from .session import SftpSession
else:
    from entrepot.types.records import dataclass

STRATEGIES: Final = ("strict", "accept", "add")

SCHEMES: Final = frozenset({"ssh", "sftp"})

USERS: Final = 1_000
"""How many callers share the connection of an event loop: their requests carry identifiers."""


@dataclass(frozen=True)
class Sftp(ServiceConfig):
    """Files on an SSH server, over SFTP.

    Without `key` and `password` the login is the one of `ssh`: its agent, its default keys and `~/.ssh/config`, where
    the host may also be an alias.

    Arguments:
        endpoint: the server: `host`, `user@host:port`, or `ssh://user@host:port`. An IPv6 address has brackets. The
            default port is that of the configuration of ssh, or 22.
        root: the directory that paths are relative to, from the root of the server.
        user: the name to log in with. By default that of the configuration of ssh, or of the local user.
        password: a password. A secret. It is used alone, or after `key`.
        key: a private key: the path of its file, or its text (PEM or OpenSSH). A secret. Other keys are not tried.
        passphrase: the passphrase of `key`. A secret.
        known_hosts_strategy: what is done about the server's own key. `"strict"` requires it in `known_hosts`.
            `"add"` does so too, but accepts the key of a host that is not there, and adds it. `"accept"` accepts any
            key, so that others can pretend to be the server.
        known_hosts: the file of the known keys of servers. By default `~/.ssh/known_hosts`.
        config_file: a configuration of ssh. By default `~/.ssh/config`, if it exists.
        connect_timeout: seconds in which the server must accept a login.
        idle_timeout: seconds without use after which the connection is closed.
        fsync: whether the server is asked to force each file to its disk before it is published, if it can.

    Raises:
        ConfigInvalid: the endpoint is not one, a number is not positive, or the strategy is not one of the three.
    """

    SCHEME: ClassVar[str] = "sftp"
    ALIASES: ClassVar[tuple[str, ...]] = ("ssh",)
    URI: ClassVar[str] = "sftp://host/some/root"

    endpoint: str = field(metadata={"aliases": ("host",)})
    root: str = "/"
    user: str | None = field(default=None, metadata={"aliases": ("username",)})
    password: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False, metadata={"aliases": ("key_filename", "private_key")})
    passphrase: str | None = field(default=None, repr=False)
    known_hosts_strategy: str = "strict"
    known_hosts: str | None = None
    config_file: str | None = None
    connect_timeout: float = field(default=30.0, metadata={"read": parse_seconds})
    idle_timeout: float = field(default=60.0, metadata={"read": parse_seconds})
    fsync: bool = True

    def validate(self) -> None:
        self._take_userinfo(self._parts())
        object.__setattr__(self, "known_hosts_strategy", self.known_hosts_strategy.lower())
        if self.known_hosts_strategy not in STRATEGIES:
            raise self.invalid(f"known_hosts_strategy must be one of {', '.join(STRATEGIES)}")
        for name in ("connect_timeout", "idle_timeout"):
            if not getattr(self, name) > 0:
                raise self.invalid(f"{name} must be more than 0")
        if self.passphrase is not None and self.key is None:
            raise self.invalid("passphrase is of key, which is not set")
        self.check_root(self.root)
        if ".." in self.root.split("/"):
            raise self.invalid("root must not have a name '..'")

    @property
    def host(self) -> str:
        """The host, or its alias in the configuration of ssh."""
        return self._parts().hostname or ""

    @property
    def port(self) -> int | None:
        """The port; None if the endpoint has none."""
        return self._parts().port

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are the same login on the same server, root included."""
        return self == other

    def build(self, context: Context) -> Accessor:
        try:
            from .accessor import SftpAccessor
            from .connect import connect
        except ImportError as error:
            if error.name != "asyncssh":
                raise
            raise self.invalid("sftp needs asyncssh: pip install 'entrepot[sftp]'") from error
        from entrepot.raw.pool import Pool, shared_pool

        runtime = context.runtime

        def make() -> Pool[SftpSession]:
            return Pool(runtime, lambda: connect(runtime, self), limit=1, users=USERS, idle_seconds=self.idle_timeout)

        sessions = shared_pool(context, replace(self, root="/"), make)
        return SftpAccessor(runtime, sessions, normalize_root(self.root), self.host, fsync=self.fsync)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": uri.authority, "root": uri.path}

    def _parts(self) -> SplitResult:
        return split_endpoint(self, self.endpoint, "ssh", SCHEMES, "user@host:port, or ssh://user@host:port")

    def _take_userinfo(self, parts: SplitResult) -> None:
        """Moves a user and a password of the endpoint to the fields of their own."""
        take_login(self, parts, None)
        object.__setattr__(self, "endpoint", host_and_port(parts))
