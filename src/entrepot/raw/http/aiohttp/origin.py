"""The destination of connections, in the form that aiohttp's connector reads."""

from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from entrepot.raw.http.origin import Origin


class Destination:
    """The destination of connections: the attributes of a request that aiohttp's connector reads.

    The connector accepts any object with these attributes. A request of aiohttp has many more, and the arguments of its
    constructor change between releases.

    Arguments:
        origin: the origin.

    Attributes:
        origin: the origin.
        url: the origin as a URL, without userinfo.
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

    def __init__(self, origin: Origin) -> None:
        address, proxy = origin.address, origin.proxy
        self.origin = origin
        self.host = address.host
        self.port = address.port
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.url = URL(f"{address.scheme}://{host}:{self.port}/", encoded=True)
        self.proxy = None if proxy is None else URL(f"{proxy.origin}/", encoded=True)
        self.proxy_headers = dict(origin.connect_headers)
        self.headers = {"Host": address.authority}
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
        return self.origin.is_tls
