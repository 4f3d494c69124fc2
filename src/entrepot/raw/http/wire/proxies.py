"""The proxies in the environment, interpreted in the way that curl, Go and Python's urllib agree on.

`<scheme>_proxy` is the proxy of a scheme, `all_proxy` the proxy of every scheme without one. The name in lower case
wins; if it is empty, it hides the other, as if neither was set. `HTTP_PROXY` counts only in lower case if
`REQUEST_METHOD` is set: a CGI server sets it from the header `Proxy` that any client can send. `no_proxy` lists the
hosts that are reached without a proxy, separated by commas or blanks:

| Entry | Matches |
|---|---|
| `*` | every host |
| `example.com`, `.example.com` | that host and the hosts below it |
| `*.example.com` | the hosts below it |
| `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | that address, however it is written |
| `10.0.0.0/8`, `fd00::/8` | the addresses of that network |
| any host or address above, with `:8080` | the same, on that port alone |

Names are not resolved: an address matches only a host that is written as one. An entry of any other form matches
nothing.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import DEFAULT_PORTS, Endpoint, parse_endpoint
from entrepot.types.patterns import pattern

_WITH_PORT: Final = pattern(r"(\[[^\[\]]*\](?:/[0-9]+)?|[^:\[\]]*):([0-9]*)")


def find_proxy(scheme: str, host: str, port: int | None, environment: Mapping[str, str]) -> Endpoint | None:
    """The proxy for a host; None if there is none.

    Arguments:
        scheme: the scheme of the request, `"http"` or `"https"`.
        host: a name or an address, an IPv6 address with or without brackets.
        port: its port; None is the default port of the scheme.
        environment: the environment variables.

    Raises:
        ConfigInvalid: a variable does not name an HTTP proxy. The message does not repeat its value, which may hold a
            password.
    """
    for name in (f"{scheme}_proxy", "all_proxy"):
        variable, value = _variable(name, environment)
        if value:
            is_direct = _is_excepted(host, port or DEFAULT_PORTS.get(scheme), environment)
            return None if is_direct else _parsed(variable, value)
    return None


def has_tls_proxy(environment: Mapping[str, str]) -> bool:
    """Whether the variables name a proxy for tunnels that is itself reached by TLS.

    Arguments:
        environment: the environment variables.
    """
    values = (_variable(name, environment)[1] for name in ("https_proxy", "all_proxy"))
    return any(value.lower().startswith("https://") for value in values)


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The spelling and the value of a variable; the value is empty if it is not set."""
    is_cgi = "REQUEST_METHOD" in environment
    is_lower = name in environment or (name == "http_proxy" and is_cgi)
    spelling = name if is_lower else name.upper()
    return spelling, environment.get(spelling, "").strip()


def _parsed(variable: str, value: str) -> Endpoint:
    try:
        proxy = parse_endpoint(value if "://" in value else f"http://{value}")
    except ConfigInvalid as error:
        raise _refused(variable, error.message) from None
    if ":" in (proxy.username or ""):
        raise _refused(variable, "its user name has a colon, which ends it in basic authentication")
    return proxy


def _refused(variable: str, reason: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"the variable {variable} does not name an HTTP proxy ({reason}): set it to http://host:port, or unset it",
        operation="configure",
    )


def _is_excepted(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    entries = _variable("no_proxy", environment)[1].replace(",", " ").split()
    name = host.strip("[]").rstrip(".").lower()
    address = _address(name)
    return any(_matches(entry.lower(), name, address, port) for entry in entries)


def _matches(entry: str, name: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
    place, entry_port = _split_port(entry)
    if entry_port not in ("", str(port)):
        return False
    if place == "*":
        return True
    return _is_name_in(name, place) if address is None else _is_address_in(address, place)


def _split_port(entry: str) -> tuple[str, str]:
    """The host and the port of an entry; an empty port matches any. An IPv6 address needs brackets before a port."""
    match = _WITH_PORT.fullmatch(entry)
    place, port = match.groups() if match else (entry, "")
    return place.replace("[", "").replace("]", ""), port.lstrip("0")


def _is_name_in(name: str, place: str) -> bool:
    domain = place.removeprefix("*.").strip(".")
    is_itself = name == domain and not place.startswith("*.")
    return bool(domain) and (is_itself or name.endswith(f".{domain}"))


def _is_address_in(address: IPv4Address | IPv6Address, place: str) -> bool:
    try:
        return address in ip_network(place, strict=False)
    except ValueError:
        return False


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
