"""Configuration of the http service."""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.types import Scheme

from .core import check_segments

_VISIBLE = re.compile(r"[\x21-\x7e]*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~%-]+)(:[0-9]*)?")


@dataclass(frozen=True)
class Http(ServiceConfig):
    """Files behind a web server, to be read.

    Userinfo in the endpoint (`https://user:password@host`) becomes `username` and `password`; it
    stays neither in the endpoint nor in any text about it.

    Arguments:
        endpoint: where the server is: `http` or `https`, a host, perhaps a port, and perhaps a path,
            which the root is then relative to.
        root: the directory that paths are relative to.
        username: for basic authentication (RFC 7617).
        password: likewise. A secret.
        token: for bearer authentication (RFC 6750), instead of the two. A secret.

    Raises:
        ConfigInvalid: the endpoint is no HTTP URL or has a query or fragment, the credentials cannot
            be sent or exclude each other, or the root leaves itself by `..`.
    """

    SCHEME: ClassVar[str] = Scheme.HTTP

    endpoint: str
    root: str = "/"
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def validate(self) -> None:
        parts = self._split_endpoint()
        userinfo, has_userinfo, authority = parts.netloc.rpartition("@")
        if not _AUTHORITY.fullmatch(authority):
            raise self.invalid("the endpoint has no host, or one that cannot be used (write it in ASCII)")
        if has_userinfo:
            self._take_userinfo(userinfo)
        object.__setattr__(self, "endpoint", f"{parts.scheme}://{authority}{parts.path}")
        self._check_credentials()
        self._check_root()

    def build(self, context: Context) -> Accessor:
        from .accessor import HttpAccessor
        from .core import Site

        parts = urlsplit(self.endpoint)
        site = Site(f"{parts.scheme}://{parts.netloc}", self._full_root(), self.username, self.password, self.token)
        return HttpAccessor(site, parts.hostname or "", context.http)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": f"{uri.scheme}://{uri.authority}", "root": uri.path}

    def _split_endpoint(self) -> SplitResult:
        """The parts of the endpoint. No message repeats it: it may hold a password."""
        if not self.endpoint.isprintable() or " " in self.endpoint:
            raise self.invalid("the endpoint holds blanks or control characters")
        try:
            parts = urlsplit(self.endpoint)
            port = parts.port
        except ValueError:
            raise self.invalid("the endpoint is no URL") from None
        if parts.scheme not in ("http", "https") or port == 0:
            raise self.invalid("the endpoint starts with http:// or https:// and a host")
        if "?" in self.endpoint or "#" in self.endpoint:
            raise self.invalid("the endpoint has no query and no fragment")
        return parts

    def _take_userinfo(self, userinfo: str) -> None:
        if self.username is not None or self.password is not None:
            raise self.invalid("the endpoint has userinfo, and username or password is given too")
        username, has_password, password = userinfo.partition(":")
        object.__setattr__(self, "username", unquote(username))
        object.__setattr__(self, "password", unquote(password) if has_password else None)

    def _check_credentials(self) -> None:
        if self.token is not None and (self.username is not None or self.password is not None):
            raise self.invalid("token excludes username and password")
        for name in ("username", "password"):
            if not (getattr(self, name) or "").isprintable():
                raise self.invalid(f"{name} holds control characters")
        if ":" in (self.username or ""):
            raise self.invalid("username holds a colon, which basic authentication cannot send")
        if self.token is not None and not (self.token and _VISIBLE.fullmatch(self.token)):
            raise self.invalid("token is empty, or holds what no header can (blanks, control characters, not ASCII)")

    def _check_root(self) -> None:
        try:
            check_segments(self._full_root())
        except InvalidInput as error:
            raise self.invalid(f"the root cannot be used: {error.message}") from None

    def _full_root(self) -> str:
        return normalize_root(f"{unquote(urlsplit(self.endpoint).path)}/{self.root}")
