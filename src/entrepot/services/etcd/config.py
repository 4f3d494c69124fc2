"""Configuration of the etcd service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig, parse_seconds
from entrepot.types.numbers import as_seconds

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, repr=False)
class Etcd(HttpServiceConfig):
    """Objects in an etcd cluster, one key for each.

    Arguments:
        endpoint: the URL of a member of the cluster: `http` or `https`, a host and a port.
        root: the prefix of all keys.
        username: the user to log in as. By default none, for a cluster without authentication.
        password: the password. A secret.
        default_ttl: seconds after which a written object expires, at least 1. By default never.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: the endpoint is not the URL of a server, user and password are not set together, `default_ttl` is
            below 1, or the root is not valid Unicode without NUL, CR and LF.
    """

    SCHEME: ClassVar[str] = "etcd"
    URI: ClassVar[str] = "etcd://host:2379/some/root"

    endpoint: str = field(default="http://127.0.0.1:2379", metadata={"aliases": ("endpoints",)})
    root: str = "/"
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    default_ttl: float | None = field(default=None, metadata={"aliases": ("ttl",), "read": parse_seconds})

    def validate(self) -> None:
        object.__setattr__(self, "endpoint", self._checked_endpoint())
        if (self.username is None) != (self.password is None):
            raise self.invalid("username and password belong together: set both, or neither")
        self._check_ttl()
        self.check_root(self.root)

    @property
    def works_without_loop(self) -> bool:
        return self.fits_blocking_sockets

    def build(self, context: Context) -> Accessor:
        from .accessor import build

        return build(self, context, normalize_root(self.root))

    def is_same_store(self, other: ServiceConfig) -> bool:
        return isinstance(other, Etcd) and self.endpoint == other.endpoint

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": f"http://{uri.authority}", "root": uri.path}

    def _check_ttl(self) -> None:
        try:
            as_seconds("default_ttl", 1 if self.default_ttl is None else self.default_ttl, least=1)
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)

    def _checked_endpoint(self) -> str:
        if "," in self.endpoint:
            raise self.invalid("endpoint must be one member of the cluster, and has a comma")
        try:
            endpoint = parse_endpoint(self.endpoint if "://" in self.endpoint else f"http://{self.endpoint}")
        except ConfigInvalid as error:
            reason = error.message
        else:
            if endpoint.username is not None or endpoint.password is not None or endpoint.path.strip("/"):
                raise self.invalid("endpoint must be a scheme, a host and a port: username and password are options")
            return endpoint.url.rstrip("/")
        raise self.invalid(reason)
