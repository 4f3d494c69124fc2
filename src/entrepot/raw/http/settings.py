"""`HttpServiceConfig`: the base of the configurations of services over HTTP, with the options of their connections.

A service inherits the options, so that each is declared, documented and checked once. Those that concern connections
become `TransportSettings`, by which the context makes the transport of the operator. The headers are added to each
request before it is signed (`HttpClient`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw.config import ServiceConfig
from entrepot.types.frozen_mapping import FrozenMapping
from entrepot.types.numbers import as_integer, as_seconds
from entrepot.types.patterns import pattern
from entrepot.types.records import field_names, replace

from .endpoint import parse_endpoint
from .transport import Header
from .wire.proxies import has_tls_proxy

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_NAME: Final = pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = pattern(r"[\t\x20-\x7e]*")
_DURATION: Final = pattern(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*")
_UNITS: Final = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 0.001),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}

CA_OPTION: Final = "ca_file"

TRANSPORTS: Final = ("native", "aiohttp")
"""The transports on an event loop. The first one is the default."""

_OWN_HEADERS: Final = frozenset({
    "accept-encoding", "connection", "content-length", "content-range", "date", "expect",
    "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive",
    "proxy-authorization", "range", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
})  # fmt: skip
"""The headers that a service or the transport sets itself. Another value in all requests would break some of them."""


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """The settings of the connections of one configuration: the arguments of its transport.

    The attributes are those of `HttpServiceConfig`. A default value is the default of the transport.

    Arguments:
        ca_name: where `ca_file` comes from: the option itself, or an environment variable.
        http: the name of the transport, which is no argument of it.
    """

    ca_file: str | None = None
    ca_name: str = CA_OPTION
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)
    client_key_password: str | None = field(default=None, repr=False)
    allow_invalid_certificates: bool = False
    proxy: str | None = field(default=None, repr=False)
    proxy_excludes: str | None = None
    connect_timeout: float | None = None
    idle_timeout: float | None = None
    keepalive_timeout: float | None = None
    max_connections: int | None = None
    max_idle_connections: int | None = None
    user_agent: str | None = None
    http: str | None = None

    @property
    def stated(self) -> dict[str, Any]:
        """The settings that are not the default, by name."""
        values = {name: getattr(self, name) for name in field_names(TransportSettings)}
        return {name: value for name, value in values.items() if value != getattr(_DEFAULTS, name)}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the transport that are not the default, by name."""
        return {name: value for name, value in self.stated.items() if name != "http"}

    @property
    def chosen(self) -> list[str]:
        """The names of the settings that the configuration states, and not the environment."""
        return [name for name in self.stated if self.ca_name == CA_OPTION or name not in {"ca_file", "ca_name"}]


def parse_headers(text: str) -> dict[str, str]:
    """The headers of a text, each on a line: `Name: value`.

    Raises:
        InvalidInput: a line has no colon, or a name is given twice.
    """
    headers = dict[str, str]()
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidInput("headers has a line without a colon: write each as 'Name: value'")
        if name.strip() in headers:
            raise InvalidInput("headers has a name twice")
        headers[name.strip()] = value.strip()
    return headers


def parse_seconds(text: str) -> float:
    """The seconds of a text such as `"30"`, `"30s"`, `"500ms"` or `"5 minutes"`.

    Raises:
        InvalidInput: it is not a duration.
    """
    match = _DURATION.fullmatch(text.lower())
    if match is None or match[2] not in _UNITS:
        raise InvalidInput("the text is not a duration, such as '30', '30s', '500ms' or '5 minutes'")
    return float(match[1]) * _UNITS[match[2]]


def _seconds(*aliases: str) -> Any:
    return field(default=None, metadata={"aliases": aliases, "read": parse_seconds})


def _option(*aliases: str, is_secret: bool = False) -> Any:
    return field(default=None, repr=not is_secret, metadata={"aliases": aliases})


@dataclass(frozen=True, init=False, repr=False, eq=False)  # each service makes its own methods
class HttpServiceConfig(ServiceConfig):
    """Options of the connections of every service over HTTP. A service inherits them, and has a field `endpoint`.

    The operator has connections of its own with these options, and closes them. A transport that is passed in
    (`Context(http=...)`) has its own settings, and excludes all options here but `headers` and `allow_http`. Files are
    read when the first connection is made, in a thread.

    Arguments:
        ca_file: a file of certificates (PEM) to trust instead of the system's.
        client_certificate: a file with the certificate (PEM) that the client shows, and possibly its key.
        client_key: the file of its key, unless the certificate's file has it. Not shown, in case it is the key itself.
        client_key_password: the password of the key. A secret.
        allow_invalid_certificates: trust any certificate. Anyone on the way can then read and change everything, keys
            included: for tests only. By default False.
        proxy: the URL of the HTTP proxy, such as `"http://user:password@host:3128"`. A secret, since it may have a
            password. The empty text is no proxy. By default the proxies of the environment (`HTTPS_PROXY` ...).
        proxy_excludes: the hosts that are reached without `proxy`, separated by commas, as in `NO_PROXY`.
        connect_timeout: seconds until a connection is established, name lookup and TLS included. By default 10.
        idle_timeout: seconds in which a server may send nothing of a response, or accept nothing of a request; a
            transfer as a whole has no limit. By default 60.
        keepalive_timeout: seconds for which an unused connection is kept. By default 15.
        max_connections: the most connections of one event loop in use at a time. By default 256.
        max_idle_connections: the most unused connections that are kept for one server. By default without limit.
        user_agent: the User-Agent header. By default `"entrepot"`.
        http: the transport on an event loop: `"native"`, our own, or `"aiohttp"`. By default native.
        headers: headers that every request has in addition, and that are signed where requests are signed; a presigned
            request does not have them. A header that a request has itself stays. A secret, since it may hold a key. In
            a URI or variable, each is on a line, `Name: value`.
        allow_http: whether the endpoint may be `http://`, without TLS. By default True.

    Raises:
        ConfigInvalid: a value cannot be used. Nothing is sent.
    """

    KEY_PREFIX: ClassVar[str] = ""
    """A prefix with which the keys of these options are known too, such as `"aws_"`."""

    CA_VARIABLE: ClassVar[str] = ""
    """The environment variable that names the file of certificates if `ca_file` does not."""

    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset()
    """More headers, in lower case, that the service sets itself."""

    _: KW_ONLY
    ca_file: str | None = _option("ca_bundle")
    client_certificate: str | None = _option("client_cert")
    client_key: str | None = _option(is_secret=True)
    client_key_password: str | None = _option(is_secret=True)
    allow_invalid_certificates: bool = False
    proxy: str | None = _option("proxy_url", is_secret=True)
    proxy_excludes: str | None = _option("no_proxy")
    connect_timeout: float | None = _seconds()
    idle_timeout: float | None = _seconds("read_timeout", "timeout")
    keepalive_timeout: float | None = _seconds("pool_idle_timeout")
    max_connections: int | None = _option("max_pool_connections")
    max_idle_connections: int | None = _option("pool_max_idle_per_host")
    user_agent: str | None = _option()
    http: str | None = _option()
    headers: Mapping[str, str] | None = field(
        default=None, repr=False, metadata={"aliases": ("default_headers",), "read": parse_headers}
    )
    allow_http: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_numbers()
        self._check_tls()
        self._check_proxy()
        self._check_headers()
        if self.http is not None and self.http not in TRANSPORTS:
            raise self.invalid(f"http must be {' or '.join(TRANSPORTS)}")
        self.check_scheme(getattr(self, "endpoint", None) or "")

    def check_scheme(self, url: str) -> None:
        """Refuses an endpoint without TLS where `allow_http` is False.

        Raises:
            ConfigInvalid: it is one.
        """
        if not self.allow_http and url.lower().startswith("http://"):
            raise self.invalid("the endpoint is http://, which allow_http=False excludes: use https://")

    @property
    def request_headers(self) -> tuple[Header, ...]:
        """The headers that every request has in addition."""
        return tuple((self.headers or {}).items())

    def with_connections_of(self, other: HttpServiceConfig) -> Self:
        """The same configuration with the connections of another one, to compare all else."""
        return replace(self, **{name: getattr(other, name) for name in (*_SETTINGS, "allow_http")})

    @property
    def reads_environment(self) -> bool:
        """Whether values that are not stated may come from environment variables."""
        return True

    @property
    def http_settings(self) -> TransportSettings | None:
        values = {name: getattr(self, name) for name in _SETTINGS}
        if self.ca_file is None and (ca_file := self._ca_of_environment()):
            values |= {"ca_file": ca_file, "ca_name": self.CA_VARIABLE}
        settings = TransportSettings(**values)
        return settings if settings.stated else None

    @property
    def fits_blocking_sockets(self) -> bool:
        """Whether calls without an event loop are sent as they are with one.

        They are not if the caller chose the transport over aiohttp, or for a proxy that is reached by TLS: a tunnel
        through it has TLS in TLS, which only an event loop has.
        """
        if self.http == "aiohttp":
            return False
        return not has_tls_proxy(os.environ if self.proxy is None else {"all_proxy": self.proxy})

    @property
    def is_plain(self) -> bool:
        """Whether the endpoint is without TLS, as far as that is known without I/O."""
        return (getattr(self, "endpoint", None) or "").startswith("http://")

    def _ca_of_environment(self) -> str | None:
        """The file of certificates that the environment names.

        An endpoint without TLS has no certificate, so that a variable that is out of date does no harm there.
        """
        if not self.CA_VARIABLE or not self.reads_environment or self.allow_invalid_certificates:
            return None
        ca_file = os.environ.get(self.CA_VARIABLE)
        return None if ca_file is None or self.is_plain else ca_file

    @classmethod
    def keys(cls, name: str, aliases: tuple[str, ...]) -> tuple[str, ...]:
        keys = super().keys(name, aliases)
        is_ours = cls.KEY_PREFIX and name in HttpServiceConfig.__dataclass_fields__
        return (*keys, *(cls.KEY_PREFIX + key for key in keys)) if is_ours else keys

    def _check_numbers(self) -> None:
        try:
            for name in ("connect_timeout", "idle_timeout", "keepalive_timeout"):
                if (value := getattr(self, name)) is not None:
                    as_seconds(name, value, above=0)
            for name, least in (("max_connections", 1), ("max_idle_connections", 0)):
                if (value := getattr(self, name)) is not None:
                    as_integer(name, value, least)
        except InvalidInput as error:
            raise self.invalid(error.message) from None

    def _check_tls(self) -> None:
        for name in ("ca_file", "client_certificate", "client_key"):
            value = getattr(self, name)
            if value is not None and (not value or "\0" in value):
                raise self.invalid(f"{name} must be the path of a file, and is empty or has a null byte")
        if self.client_key is not None and self.client_certificate is None:
            raise self.invalid("client_key is set without client_certificate: set both, or neither")
        if self.client_key_password is not None and self.client_certificate is None:
            raise self.invalid("client_key_password is set without client_certificate: set both, or neither")
        if self.allow_invalid_certificates and self.ca_file is not None:
            raise self.invalid("allow_invalid_certificates makes ca_file useless: leave out one of them")

    def _check_proxy(self) -> None:
        if self.proxy:
            self._check_proxy_url(self.proxy)
        elif self.proxy_excludes is not None:
            raise self.invalid("proxy_excludes is set without proxy: set the variable NO_PROXY for the environment's")

    def _check_proxy_url(self, proxy: str) -> None:
        try:
            parsed = parse_endpoint(proxy if "://" in proxy else f"http://{proxy}")
        except ConfigInvalid as error:
            raise self.invalid(f"proxy does not name an HTTP proxy ({error.message})") from None
        if ":" in (parsed.username or ""):
            raise self.invalid("the user name of proxy has a colon, which ends it in basic authentication")

    def _check_headers(self) -> None:
        if self.user_agent is not None and not (self.user_agent.strip() and _VALUE.fullmatch(self.user_agent)):
            raise self.invalid("user_agent must be ASCII text without control characters, and not empty")
        for name, value in (self.headers or {}).items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.invalid("headers has a name that is not the name of a header")
            if not isinstance(value, str) or not _VALUE.fullmatch(value):
                raise self.invalid(f"the value of the header {name} must be ASCII text without control characters")
            if name.lower() in _OWN_HEADERS | self.OWN_HEADERS:
                raise self.invalid(f"headers cannot set {name}: entrepot sets it itself")
        if self.headers is not None:
            object.__setattr__(self, "headers", FrozenMapping(self.headers))

    def __repr__(self) -> str:
        """The own fields of the service, and of the inherited ones those that are not the default."""
        inherited = HttpServiceConfig.__dataclass_fields__
        own = [item for item in fields(self) if item.name not in inherited]
        changed = [item for item in fields(self) if item.name in inherited and getattr(self, item.name) != item.default]
        shown = (item for item in (*own, *changed) if item.repr)
        return f"{type(self).__name__}({', '.join(f'{item.name}={getattr(self, item.name)!r}' for item in shown)})"


_DEFAULTS: Final = TransportSettings()
_SETTINGS: Final = tuple(name for name in field_names(TransportSettings) if name != "ca_name")
