"""The data that all requests to one origin share. Every transport uses it."""

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from entrepot.errors import InvalidInput

from .endpoint import DEFAULT_PORTS, Endpoint
from .headers import basic_credentials
from .transport import Header
from .wire.request_head import HeadWriter
from .wire.target import absolute_form

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

USER_AGENT: Final = "entrepot"
"""The User-Agent header, unless another one is configured."""

_PLACE: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::([0-9]{0,9}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an origin is, and the credentials in its URL.

    Arguments:
        scheme: `"http"` or `"https"`.
        host: a name or an address; an IPv6 address has no brackets.
        port: its port.
        username: the user name in the URL, decoded; None if it is missing or empty.
        password: the password in the URL, in the same form.
    """

    scheme: str
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and port, as in the Host header: without a dot at the end, and without the default port."""
        name = f"[{self.host}]" if ":" in self.host else self.host.rstrip(".")
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


def parse_origin(text: str) -> Address:
    """Parses an origin: scheme, userinfo, host and port, as in a URL. No message repeats it: it may hold a password.

    Raises:
        InvalidInput: its host, port or user name cannot be used.
    """
    scheme, _, rest = text.partition("://")
    userinfo, _, place = rest.rpartition("@")
    username, _, password = userinfo.partition(":")
    match = _PLACE.fullmatch(place) if place.isprintable() and " " not in place else None
    if match is None:
        raise _unusable()
    port = int(match[3]) if match[3] else DEFAULT_PORTS[scheme.lower()]
    name = unquote(username)
    if not 0 < port < 2**16 or ":" in name:  # a colon ends the name in basic authentication
        raise _unusable()
    return Address(scheme.lower(), match[1] or match[2], port, name or None, unquote(password) or None)


def _unusable() -> InvalidInput:
    return InvalidInput("the URL cannot be used: its host, port or user name is not valid")


class Origin:
    """One origin: where to connect, and the headers that all requests to it share.

    Arguments:
        text: scheme, host and port, as in a URL.
        proxy: the proxy to use, if any.
        user_agent: the User-Agent header.

    Attributes:
        address: where it is.
        key: equal for origins that can share connections.
        proxy: the proxy to use, if any.
        head: writes the heads of requests.
        connect_headers: the headers of a CONNECT request to the proxy, Host excepted.

    Raises:
        InvalidInput: the origin cannot be used.
    """

    __slots__ = ("address", "connect_headers", "head", "key", "proxy")

    def __init__(self, text: str, proxy: Endpoint | None, user_agent: str = USER_AGENT) -> None:
        self.address = address = parse_origin(text)
        self.proxy = proxy
        self.key = (address.scheme, address.host, address.port, proxy)
        self.connect_headers = [*_own_headers(user_agent), *_proxy_headers(proxy)]
        headers = [("Host", address.authority), *_own_headers(user_agent)]
        if address.username is not None:
            headers.append(("Authorization", basic_credentials(address.username, address.password)))
        prefix = ""
        if proxy is not None and not self.is_tls:
            prefix = absolute_form(text)  # a proxy that reads the target needs the whole URL (RFC 9112, 3.2.2)
            headers += _proxy_headers(proxy)
        self.head = HeadWriter({name.lower(): f"{name}: {value}" for name, value in headers}, prefix)

    @property
    def is_tls(self) -> bool:
        """Whether it is reached by TLS."""
        return self.address.scheme == "https"


def _own_headers(user_agent: str) -> tuple[Header, ...]:
    return ("Accept-Encoding", "identity"), ("User-Agent", user_agent)


def _proxy_headers(proxy: Endpoint | None) -> list[Header]:
    if proxy is None or (proxy.username is None and proxy.password is None):
        return []
    return [("Proxy-Authorization", basic_credentials(proxy.username, proxy.password))]
