"""Configuration of the http service."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import Endpoint, parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig

from .core import check_segments

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_VISIBLE = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, repr=False)
class Http(HttpServiceConfig):
    """Files on a web server, for reading.

    Userinfo in the endpoint (`https://user:password@host`) becomes `username` and `password`, and is removed from the
    endpoint. Empty ones are not credentials.

    Arguments:
        endpoint: the URL of the server: `http` or `https`, a host, optionally a port and a path (percent-encoded),
            which the root is then relative to.
        root: the directory that paths are relative to.
        username: for basic authentication (RFC 7617).
        password: for basic authentication. A secret.
        token: for bearer authentication (RFC 6750), instead of the other two. A secret.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: the endpoint is not an HTTP URL or has a query or fragment, the credentials cannot be sent or
            exclude each other, or the root has a name `.` or `..`.
    """

    SCHEME: ClassVar[str] = "http"
    ALIASES: ClassVar[tuple[str, ...]] = ("https",)
    URI: ClassVar[str] = "https://host/some/root"

    endpoint: str
    root: str = "/"
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def validate(self) -> None:
        endpoint = self._parsed_endpoint()
        self._take_userinfo(endpoint)
        object.__setattr__(self, "endpoint", endpoint.url)
        self._check_credentials()
        self._check_root(endpoint)

    @property
    def works_without_loop(self) -> bool:
        return self.fits_blocking_sockets

    def build(self, context: Context) -> Accessor:
        from .accessor import HttpAccessor
        from .core import Site

        endpoint = self._parsed_endpoint()
        root, headers = self._full_root(endpoint), self.request_headers
        site = Site(endpoint.origin, root, self.username, self.password, self.token, headers)
        return HttpAccessor(site, endpoint.host, context.http)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": f"{uri.scheme}://{uri.authority}", "root": uri.path}

    def _parsed_endpoint(self) -> Endpoint:
        try:
            return parse_endpoint(self.endpoint)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

    def _take_userinfo(self, endpoint: Endpoint) -> None:
        if endpoint.username is None and endpoint.password is None:
            return
        if self.username is not None or self.password is not None:
            raise self.invalid(
                "the endpoint has userinfo, and username or password is set too: leave out one or the other"
            )
        object.__setattr__(self, "username", endpoint.username)
        object.__setattr__(self, "password", endpoint.password)

    def _check_credentials(self) -> None:
        if self.token is not None and (self.username is not None or self.password is not None):
            raise self.invalid("token excludes username and password: leave out one or the other")
        if self._has_own_authorization and any((self.token, self.username, self.password)):
            raise self.invalid("headers has Authorization beside token, username or password: leave out one of them")
        for name in ("username", "password"):
            if not (getattr(self, name) or "").isprintable():
                raise self.invalid(f"{name} has control characters")
        if ":" in (self.username or ""):
            raise self.invalid("username has a colon, which basic authentication cannot send")
        if self.token is not None and not (self.token and _VISIBLE.fullmatch(self.token)):
            raise self.invalid(
                "token is empty, or has characters that no header can have (blanks, control characters, not ASCII)"
            )

    @property
    def _has_own_authorization(self) -> bool:
        return any(isinstance(name, str) and name.lower() == "authorization" for name in self.headers or {})

    def _check_root(self, endpoint: Endpoint) -> None:
        try:
            check_segments(self._full_root(endpoint))
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(f"the root cannot be used: {reason}")  # not in the handler: the other error repeats the root

    def _full_root(self, endpoint: Endpoint) -> str:
        return normalize_root(f"{unquote(endpoint.path)}/{self.root}")
