"""The data that all requests to one origin share."""

from typing import Final

from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from entrepot.errors import InvalidInput
from entrepot.raw.http.endpoint import Endpoint
from entrepot.raw.http.headers import basic_credentials
from entrepot.raw.http.transport import Header
from entrepot.raw.http.wire.target import absolute_form

USER_AGENT: Final = "entrepot"
"""The User-Agent header, unless another one is configured."""


def parse_origin(text: str) -> URL:
    """Parses an origin. No message repeats it: it may hold a password.

    Raises:
        InvalidInput: its host, port or user name cannot be used.
    """
    try:
        url = URL(f"{text}/", encoded=True)
        port = url.port
    except ValueError:
        raise InvalidInput("the URL cannot be used: its host, port or user name is not valid") from None
    if not url.raw_host or not port or ":" in (url.user or ""):  # a colon ends the name in basic authentication
        raise InvalidInput("the URL cannot be used: its host, port or user name is not valid")
    return url


class Destination:
    """The destination of connections: the attributes of a request that aiohttp's connector reads.

    The connector accepts any object with these attributes. A request of aiohttp has many more, and the arguments of its
    constructor change between releases.

    Arguments:
        url: the origin.
        proxy: the proxy to use, if any.
        user_agent: the User-Agent header of a CONNECT request.

    Attributes:
        url: the origin, without userinfo.
        host: its host.
        port: its port.
        ssl: True is the TLS configuration of the connector.
        server_hostname: the name to verify in the certificate; None is the host.
        proxy: the URL of the proxy, without credentials: aiohttp refuses some that it finds in a URL.
        proxy_auth: None; `proxy_headers` have them.
        proxy_headers: the headers of a CONNECT request.
        headers: the headers that the connector reads, which is Host.
        connection_key: the key under which the connector keeps the connections.
        request_info: the destination itself; the connector reads its `url`.
    """

    ssl = True
    server_hostname = None
    proxy_auth = None

    def __init__(self, url: URL, proxy: Endpoint | None, user_agent: str) -> None:
        self.url = url.with_user(None)
        self.host = self.url.raw_host or ""
        self.port = self.url.port
        self.proxy = None if proxy is None else URL(f"{proxy.origin}/", encoded=True)
        self.proxy_headers = dict((*_own_headers(user_agent), *_proxy_headers(proxy)))
        self.headers = {"Host": self.url.host_port_subcomponent or ""}
        self.connection_key = ConnectionKey(
            host=self.host,
            port=self.port,
            is_ssl=self.is_ssl(),
            ssl=True,
            proxy=self.proxy,
            **dict.fromkeys({"proxy_auth", "proxy_headers_hash"} & {*ConnectionKey._fields}),
        )
        self.request_info = self

    def is_ssl(self) -> bool:
        """Whether the origin is reached by TLS."""
        return self.url.scheme == "https"


class Origin:
    """One origin: where to connect, and the headers that all requests to it share.

    Arguments:
        text: scheme, host and port, as in a URL.
        proxy: the proxy to use, if any.
        user_agent: the User-Agent header.

    Attributes:
        destination: the destination of connections.
        key: the key under which the connector keeps them.
        headers: the headers that a request has unless it sets them itself, ready to be sent, by name in lower case.

    Raises:
        InvalidInput: the origin cannot be used.
    """

    __slots__ = ("_prefix", "destination", "headers", "key")

    def __init__(self, text: str, proxy: Endpoint | None, user_agent: str = USER_AGENT) -> None:
        url = parse_origin(text)
        self.destination = Destination(url, proxy, user_agent)
        self.key = self.destination.connection_key
        headers = [("Host", self.destination.headers["Host"]), *_own_headers(user_agent)]
        if url.user is not None:
            headers.append(("Authorization", basic_credentials(url.user, url.password)))
        self._prefix = ""
        if proxy is not None and not self.destination.is_ssl():
            self._prefix = absolute_form(text)
            headers += _proxy_headers(proxy)
        self.headers = {name.lower(): f"{name}: {value}" for name, value in headers}

    def target(self, target: str) -> str:
        """The target to send: a proxy that reads it needs the whole URL (RFC 9112, 3.2.2)."""
        return f"{self._prefix}{target}"


def _own_headers(user_agent: str) -> tuple[Header, ...]:
    return ("Accept-Encoding", "identity"), ("User-Agent", user_agent)


def _proxy_headers(proxy: Endpoint | None) -> list[Header]:
    if proxy is None or (proxy.username is None and proxy.password is None):
        return []
    return [("Proxy-Authorization", basic_credentials(proxy.username, proxy.password))]
