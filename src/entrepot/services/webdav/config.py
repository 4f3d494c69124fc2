"""Configuration of the webdav service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import Endpoint, parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.types.records import replace

from .names import check_key

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_PREFIX: Final = re.compile(r"(?!xml)[A-Za-z_][A-Za-z0-9._-]*")
_NAMESPACE: Final = re.compile(r"[\x21\x23-\x25\x28-\x3b\x3d\x3f-\x7e]+")
_SCHEMES: Final[Mapping[str, str]] = {"webdav": "https", "davs": "https", "dav": "http"}


@dataclass(frozen=True, repr=False)
class Webdav(HttpServiceConfig):
    """Files on a WebDAV server, such as Nextcloud, Apache or a NAS.

    Userinfo in the endpoint (`https://user:password@host`) becomes `username` and `password`, and is removed from the
    endpoint. Empty ones are not credentials.

    Arguments:
        endpoint: the URL of the server: `http` or `https`, a host, optionally a port and a path (percent-encoded), such
            as `"https://cloud.example/remote.php/dav/files/USER"`.
        root: the directory that paths are relative to, below the path of the endpoint.
        username: for basic authentication (RFC 7617), or digest authentication (RFC 7616) if the server asks for it.
        password: for the same. A secret.
        token: for bearer authentication (RFC 6750), instead of the other two. A secret.
        disable_basic: send no basic credentials, and wait until the server asks for digest authentication. By default
            requests have basic credentials until then.
        atomic_write: send the content of a file to a temporary name beside it, and move it to its name when it is
            complete, so that no reader sees half a file. By default True. False saves two requests of each write, and
            is as safe where the server publishes a PUT in one step itself.
        disable_create_dir: do not make missing directories above a new file, which is then `NotFound`.
        enable_conditional_read: send the conditions of reads. By default True; False, for servers that fail on them,
            refuses these options.
        user_metadata_prefix: the XML prefix of user metadata in requests.
        user_metadata_uri: the XML namespace of user metadata. By default the namespace of Apache OpenDAL.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: the endpoint is not an HTTP URL or has a query or fragment, the credentials cannot be sent or
            exclude each other, or the root or the namespace cannot be used.
    """

    SCHEME: ClassVar[str] = "webdav"
    ALIASES: ClassVar[tuple[str, ...]] = ("dav", "davs")
    URI: ClassVar[str] = "webdav://host/some/root"
    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset({"depth", "destination", "if", "overwrite"})

    endpoint: str = field(metadata={"aliases": ("base_url",)})
    root: str = "/"
    username: str | None = field(default=None, repr=False, metadata={"aliases": ("user",)})
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    disable_basic: bool = False
    atomic_write: bool = True
    disable_create_dir: bool = False
    enable_conditional_read: bool = True
    user_metadata_prefix: str = "opendal"
    user_metadata_uri: str = "https://opendal.apache.org/ns"

    def validate(self) -> None:
        endpoint = self._parsed_endpoint()
        self._take_userinfo(endpoint)
        object.__setattr__(self, "endpoint", endpoint.url)
        self._check_credentials()
        self._check_root()
        if not _PREFIX.fullmatch(self.user_metadata_prefix) or self.user_metadata_prefix == "D":
            raise self.invalid("user_metadata_prefix is not an XML prefix, or is D, which is WebDAV's")
        if not _NAMESPACE.fullmatch(self.user_metadata_uri) or self.user_metadata_uri == "DAV:":
            raise self.invalid("user_metadata_uri is not a URI, or is DAV:, which is WebDAV's")

    @property
    def works_without_loop(self) -> bool:
        return self.fits_blocking_sockets

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one endpoint with the same credentials."""
        if not isinstance(other, Webdav):
            return False
        alike = ("root", "atomic_write", "disable_create_dir", "enable_conditional_read")
        return replace(other.with_connections_of(self), **{name: getattr(self, name) for name in alike}) == self

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"endpoint": f"{_SCHEMES.get(uri.scheme, 'https')}://{uri.authority}", "root": uri.path}

    def parsed_root(self) -> str:
        """The root, with a slash at each end."""
        return normalize_root(self.root)

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
        has_own = any(isinstance(name, str) and name.lower() == "authorization" for name in self.headers or {})
        if has_own and any((self.token, self.username, self.password)):
            raise self.invalid("headers has Authorization beside token, username or password: leave out one of them")
        for name in ("username", "password"):
            if not (getattr(self, name) or "").isprintable():
                raise self.invalid(f"{name} has control characters")
        if ":" in (self.username or ""):
            raise self.invalid("username has a colon, which no authentication of HTTP can send")
        if self.token is not None and not _VISIBLE.fullmatch(self.token):
            raise self.invalid(
                "token is empty, or has characters that no header can have (blanks, control characters, not ASCII)"
            )
        if self.disable_basic and not self.username:
            raise self.invalid("disable_basic is set without username: digest authentication needs one")

    def _check_root(self) -> None:
        self.check_root(self.root)
        try:
            check_key(normalize_root(self.root)[1:])
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(f"the root cannot be used: {reason}")  # not in the handler: the other error repeats the root
