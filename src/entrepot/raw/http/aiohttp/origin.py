"""What is the same for all requests to one origin."""

import re
from functools import cached_property
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from entrepot.errors import InvalidInput

_OWN: Final = (("Accept-Encoding", "identity"), ("User-Agent", "entrepot"))
_URL: Final = re.compile(r"((?i:https?)://[^/?#]+)([^#]*)")


def split_url(url: str) -> tuple[str, str]:
    """The origin of an absolute URL, and the target in it, as they stand.

    Raises:
        InvalidInput: it is not HTTP, or names no host.
    """
    found = _URL.match(url)
    if found is None:
        raise InvalidInput("the URL cannot be used")
    origin, target = found.groups()
    return origin, target if target.startswith("/") else f"/{target}"


def parse_origin(text: str) -> URL:
    """An origin as the library knows it. No message repeats it: it may hold a password.

    Raises:
        InvalidInput: its host or port cannot be used.
    """
    try:
        url = URL(f"{text}/", encoded=True)
        port = url.port
    except ValueError:
        raise InvalidInput("the URL cannot be used") from None
    if not url.raw_host or not port:
        raise InvalidInput("the URL cannot be used")
    return url


class Prototype(aiohttp.ClientRequest):
    """A request to an origin that connections are made for, and that is never sent.

    Arguments:
        url: the origin.
        proxy: the proxy on the way there, if any.
    """

    def __init__(self, url: URL, proxy: URL | None) -> None:
        super().__init__("GET", url, proxy=proxy, proxy_headers=dict(_OWN))

    @cached_property
    def connection_key(self) -> ConnectionKey:
        """Under which the connector keeps its connections. aiohttp makes it anew each time, of what it changes."""
        return super().connection_key


class Origin:
    """How to connect to an origin, and what every request to it has in common.

    Arguments:
        text: scheme, host and port, as in a URL.
        proxy: the proxy on the way there, if any.

    Attributes:
        request: what the connector makes connections for.
        key: under which the connector keeps them.
        headers: those that a request has unless it names them itself, ready to be sent, by name in lower case.
    """

    __slots__ = ("_prefix", "headers", "key", "request")

    def __init__(self, text: str, proxy: URL | None) -> None:
        self.request = Prototype(parse_origin(text), proxy)
        self.key = self.request.connection_key
        self.headers = {
            name.lower(): f"{name}: {value}" for name, value in (("Host", self.request.headers["Host"]), *_OWN)
        }
        if "Authorization" in self.request.headers:  # of the userinfo in the URL
            self.headers["authorization"] = f"Authorization: {self.request.headers['Authorization']}"
        self._prefix = ""
        if proxy is not None and not self.request.is_ssl():
            self._prefix = f"http://{text.rpartition('/')[2].rpartition('@')[2]}"
            self.headers |= _proxy_headers(proxy)

    def target(self, target: str) -> str:
        """A target as it is asked for: a proxy that sees it is told all of the URL (RFC 9112, 3.2.2)."""
        return f"{self._prefix}{target}"


def _proxy_headers(proxy: URL) -> dict[str, str]:
    if proxy.user is None:
        return {}
    credentials = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
    return {"proxy-authorization": f"Proxy-Authorization: {credentials}"}
