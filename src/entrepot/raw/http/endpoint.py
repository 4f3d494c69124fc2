"""The address of a server, as users write it."""

import re
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from entrepot.errors import ConfigInvalid

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

DOUBLED_PLACE: Final = (
    "endpoint ends with the name of the bucket or container, which paths begin with: leave it out there"
)
"""Of an endpoint with which objects would be stored below a folder that has the name of their bucket."""

_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?", re.ASCII)
_PATH: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, normalized.

    Arguments:
        scheme: `"http"` or `"https"`.
        host: a name in lower case, or an address; an IPv6 address has no brackets.
        port: the port; None is the default port of the scheme.
        path: percent-encoded, without a slash at its end; empty if there is none.
        username: the user name in the userinfo, decoded; None if it is missing or empty.
        password: the password in the userinfo, in the same form.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and port, as in a URL and in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The whole address without the userinfo."""
        return f"{self.origin}{self.path}"


def parse_endpoint(text: str) -> Endpoint:
    """Parses an endpoint. No message repeats it: it may hold a password.

    Raises:
        ConfigInvalid: it is not an HTTP URL, its host is missing or not valid, or it has a query or fragment.
    """
    if not text.isprintable() or " " in text:
        raise _invalid("the endpoint has blanks or control characters")
    split = _split(text)
    if split is None:  # raised here: the error of urllib repeats parts of the text, and must not be the context of ours
        raise _invalid("the endpoint cannot be read as a URL")
    parts, port = split
    if parts.scheme not in DEFAULT_PORTS or port == 0:
        raise _invalid("the endpoint must start with http:// or https:// and a host")
    if "?" in text or "#" in text:
        raise _invalid("the endpoint must not have a query or a fragment")
    return Endpoint(
        parts.scheme,
        _host(parts.hostname or ""),
        None if port == DEFAULT_PORTS[parts.scheme] else port,
        _path(parts),
        unquote(parts.username or "") or None,
        unquote(parts.password or "") or None,
    )


def is_loopback(host: str) -> bool:
    """Whether a host, as in `Endpoint.host`, is this machine, so that nothing sent to it leaves the machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    from ipaddress import ip_address

    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def _split(text: str) -> tuple[SplitResult, int | None] | None:
    """The parts of a URL and its port; None if it cannot be parsed."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    return parts, port


def _host(host: str) -> str:
    if ":" in host:
        return _ipv6(host)
    if not _HOST.fullmatch(host) or ".." in host:
        raise _invalid("the endpoint has no host, or its host is not valid (write it in ASCII)")
    return host


def _ipv6(host: str) -> str:
    from ipaddress import IPv6Address

    with suppress(ValueError):
        # A zone, after '%', has a meaning only on this machine.
        return IPv6Address(host.replace("%", " ")).compressed
    raise _invalid("the host of the endpoint is not an IPv6 address")


def _path(parts: SplitResult) -> str:
    if not _PATH.fullmatch(parts.path):
        raise _invalid("the path of the endpoint must be percent-encoded")
    return parts.path.rstrip("/")


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
