"""Configuration of the webhdfs service."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.types.records import replace

from .core import check_path

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9._@/-]*\$?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+=*")


@dataclass(frozen=True, repr=False)
class Webhdfs(HttpServiceConfig):
    """Files in HDFS, by its HTTP interface (WebHDFS), of a namenode or of HttpFS.

    Arguments:
        endpoint: the URL of the namenode or of HttpFS: `http` or `https`, a host, optionally a port and a path. By
            default `"http://127.0.0.1:9870"`, the namenode of this machine.
        root: the directory that paths are relative to.
        user_name: the user, for a cluster without security.
        delegation: a delegation token, for a cluster with security. A secret. It is sent to the endpoint only; a
            datanode gets it in the URL that the namenode made.
        doas: the user on whose behalf a proxy user works.
        disable_list_batch: list a directory by one request, for servers without LISTSTATUS_BATCH. They are also
            recognized.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: the endpoint is not an HTTP URL or has credentials, a query or a fragment, the user or the token
            cannot be one, both are set, or the root cannot be used.
    """

    SCHEME: ClassVar[str] = "webhdfs"
    ALIASES: ClassVar[tuple[str, ...]] = ("swebhdfs",)
    URI: ClassVar[str] = "webhdfs://host:9870/some/root?user_name=u"

    endpoint: str = "http://127.0.0.1:9870"
    root: str = "/"
    user_name: str | None = field(default=None, metadata={"aliases": ("user", "username")})
    delegation: str | None = field(default=None, repr=False, metadata={"aliases": ("token", "delegation_token")})
    doas: str | None = field(default=None, metadata={"aliases": ("proxy_to",)})
    disable_list_batch: bool = False

    def validate(self) -> None:
        try:
            endpoint = parse_endpoint(self.endpoint)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None
        if endpoint.username is not None or endpoint.password is not None:
            raise self.invalid("the endpoint has userinfo, which WebHDFS does not use: set user_name or delegation")
        object.__setattr__(self, "endpoint", endpoint.url)
        if self.user_name is not None and self.delegation is not None:
            raise self.invalid("delegation excludes user_name: the token names its user")
        for name in ("user_name", "doas"):
            if (value := getattr(self, name)) is not None and not _USER.fullmatch(value):
                raise self.invalid(f"{name} cannot be the name of a user of HDFS")
        if self.delegation is not None and not _TOKEN.fullmatch(self.delegation):
            raise self.invalid("delegation is not a delegation token, which is URL-safe base64")
        self._check_root()

    @property
    def works_without_loop(self) -> bool:
        return self.fits_blocking_sockets

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one endpoint with the same user."""
        if not isinstance(other, Webhdfs):
            return False
        alike = replace(other.with_connections_of(self), root=self.root, disable_list_batch=self.disable_list_batch)
        return alike == self

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        scheme = "https" if uri.scheme == "swebhdfs" else "http"
        return ({"endpoint": f"{scheme}://{uri.authority}"} if uri.authority else {}) | {"root": uri.path}

    def _check_root(self) -> None:
        self.check_root(self.root)
        try:
            check_path(normalize_root(self.root))
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(f"the root cannot be used: {reason}")  # not in the handler: the other error repeats the root
