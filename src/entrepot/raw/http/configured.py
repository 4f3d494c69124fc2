"""The arguments that every transport of this library takes, and what follows from them."""

import os
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Self

from entrepot.errors import InvalidInput
from entrepot.types.numbers import as_integer, as_seconds
from entrepot.types.shown import shown

from .endpoint import Endpoint
from .origin import USER_AGENT, Origin, parse_origin
from .settings import TransportSettings
from .tls import Tls, TlsFiles
from .transport import HttpRequest, HttpTransport
from .wire.proxies import find_proxy

_SECRETS: Final = frozenset({"client_key", "client_key_password", "proxy"})


class Timeouts(NamedTuple):
    """The timeouts of a request, in seconds; None is without limit.

    Arguments:
        connect: until a connection is established.
        idle: how long the server may be silent.
    """

    connect: float | None
    idle: float | None

    def of_request(self, request: HttpRequest) -> "Timeouts":
        """The timeouts of a request, which may have its own."""
        connect, idle = request.connect_timeout, request.idle_timeout
        if connect is None and idle is None:
            return self
        return Timeouts(self.connect if connect is None else connect, self.idle if idle is None else idle)


class Limits(NamedTuple):
    """The limits of the connections of one event loop, or of one blocking transport.

    Arguments:
        in_use: the most connections in use at a time; None is without limit.
        idle: the most unused connections that are kept for one origin; None is without limit.
        idle_seconds: for how many seconds an unused connection is kept.
        patience: for how many seconds a request waits for its turn while all connections are inactive; None is without
            limit.
    """

    in_use: int | None
    idle: int | None
    idle_seconds: float
    patience: float | None


class ConfiguredTransport(HttpTransport):
    """A transport with the arguments that every transport of this library takes.

    A subclass overrides `_start` and `send`. Proxies come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`,
    `ALL_PROXY`, `NO_PROXY`; see `raw/http/wire/proxies.py`), looked up once for each origin. A variable that does not
    name an HTTP proxy is `ConfigInvalid`. A transport can be pickled, and is then made again with the same arguments.

    Arguments:
        connect_timeout: seconds until a connection is established, name lookup and TLS included; None is without
            limit. By default 10.
        idle_timeout: seconds in which the server sends no byte of an awaited response, or accepts no byte of the
            content that is sent (then up to twice as many); None is without limit. By default 60. The head of a
            response must be complete within it, informational responses (1xx) before it included. Of the content,
            each byte counts, but not the lines of the chunked coding.
        max_connections: the most connections of one event loop in use at a time, connections of unclosed bodies
            included; None is without limit. By default 256. Further requests wait for their turn. Connections that
            are kept for later requests do not count.
        pool_timeout: seconds that a request waits for its turn while all connections are inactive: no
            response arrives, no content is read, no connection is given back. As long as there is activity, every
            waiting request gets its turn. None is without limit. By default 120.
        keepalive_timeout: seconds for which an unused connection is kept. By default 15.
        max_idle_connections: the most unused connections that are kept for one origin; None is without limit.
        ca_file: a file of certificates (PEM) to trust instead of the system's. Files are read when they are first
            needed, in a thread; then one that cannot be used is `ConfigInvalid`.
        ca_name: what messages about `ca_file` call it, such as the variable that it comes from.
        client_certificate: a file with the certificate (PEM) that the client shows, and possibly its key.
        client_key: the file of its key, unless the certificate's file has it.
        client_key_password: the password of the key.
        allow_invalid_certificates: trust any certificate, which protects from nobody. By default False.
        ssl_context: the TLS configuration, instead of the arguments before.
        proxy: the URL of the HTTP proxy, instead of those of the environment; the empty text is no proxy.
        proxy_excludes: the hosts that are reached without `proxy`, as in `NO_PROXY`.
        user_agent: the User-Agent header of requests that have none. By default `"entrepot"`.

    Raises:
        InvalidInput: an argument is not valid, or two exclude each other.
        ConfigInvalid: `proxy` does not name an HTTP proxy.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        *,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = 60.0,
        max_connections: int | None = 256,
        pool_timeout: float | None = 120.0,
        keepalive_timeout: float = 15.0,
        max_idle_connections: int | None = None,
        ca_file: str | None = None,
        ca_name: str = "ca_file",
        client_certificate: str | None = None,
        client_key: str | None = None,
        client_key_password: str | None = None,
        allow_invalid_certificates: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        proxy_excludes: str | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._arguments: dict[str, Any] = {
            "connect_timeout": _checked_seconds("connect_timeout", connect_timeout),
            "idle_timeout": _checked_seconds("idle_timeout", idle_timeout),
            "max_connections": _checked_connections("max_connections", max_connections, 1),
            "pool_timeout": _checked_seconds("pool_timeout", pool_timeout),
            "keepalive_timeout": float(as_seconds("keepalive_timeout", keepalive_timeout, above=0)),
            "max_idle_connections": _checked_connections("max_idle_connections", max_idle_connections, 0),
            "ca_file": _checked_path("ca_file", ca_file),
            "ca_name": _checked_text("ca_name", ca_name),
            "client_certificate": _checked_path("client_certificate", client_certificate),
            "client_key": _checked_path("client_key", client_key),
            "client_key_password": _checked_text("client_key_password", client_key_password),
            "allow_invalid_certificates": _checked_flag("allow_invalid_certificates", allow_invalid_certificates),
            "ssl_context": ssl_context,
            "proxy": _checked_text("proxy", proxy),
            "proxy_excludes": _checked_text("proxy_excludes", proxy_excludes),
            "user_agent": _checked_user_agent(user_agent),
        }
        files = TlsFiles(
            ca_file, ca_name, client_certificate, client_key, client_key_password, allow_invalid_certificates
        )
        if ssl_context is not None and not files.are_default:
            raise InvalidInput("ssl_context excludes ca_file and the other TLS arguments: set one or the others")
        self._tls = Tls(files, ssl_context)
        self._timeouts = Timeouts(connect_timeout, idle_timeout)
        self._limits = Limits(max_connections, max_idle_connections, keepalive_timeout, pool_timeout)
        self._new_origin = partial(_new_origin, _proxy_variables(proxy, proxy_excludes), user_agent)
        self._start()

    def _start(self) -> None:
        """Makes the objects that send, from the checked arguments. The constructor calls it at its end."""

    @classmethod
    def of(cls, settings: TransportSettings) -> Self:
        """A transport with the settings of a configuration."""
        return cls(**settings.arguments)

    def __repr__(self) -> str:
        visible = {k: v for k, v in self._arguments.items() if v not in (None, False) and k not in _SECRETS}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in visible.items())})"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]


def _proxy_variables(proxy: str | None, excludes: str | None) -> Mapping[str, str]:
    """The environment variables that say the same; those of the process if no proxy is given."""
    if proxy is None:
        if excludes is not None:
            raise InvalidInput("proxy_excludes is set without proxy: the environment has NO_PROXY for this")
        return os.environ
    if not proxy:
        return {}
    variables = {"all_proxy": proxy, "no_proxy": excludes or ""}
    find_proxy("http", "localhost.invalid", None, {"all_proxy": proxy})
    return variables


def _new_origin(variables: Mapping[str, str], user_agent: str, text: str, is_direct: bool) -> Origin:
    """An origin with the proxy that requests to it take. `Origins` calls it once for each origin."""
    return Origin(text, None if is_direct else _find_proxy(variables, text), user_agent)


def _find_proxy(variables: Mapping[str, str], origin: str) -> Endpoint | None:
    address = parse_origin(origin)
    return find_proxy(address.scheme, address.host, address.port, variables)


def _checked_seconds(name: str, value: Any) -> float | None:
    return None if value is None else float(as_seconds(name, value, above=0))


def _checked_connections(name: str, value: Any, least: int) -> int | None:
    return None if value is None else as_integer(name, value, least)


def _checked_text(name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} must be text, not {shown(value)}")
    return value


def _checked_user_agent(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
        raise InvalidInput("user_agent must be ASCII text without control characters, and not empty")
    return value


def _checked_flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} must be True or False, not {shown(value)}")
    return value


def _checked_path(name: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise InvalidInput(f"{name} must be the path of a file, not {shown(value)}")
    if not (path := os.fspath(value)) or "\0" in str(path):
        raise InvalidInput(f"the path of {name} is empty, or holds a null byte")
    return path
