"""The proxies that the environment names, judged as curl, Go and Python's urllib agree to judge them.

`<scheme>_proxy` names the proxy of a scheme, `all_proxy` that of every scheme without one. The name in lower case goes
first. `HTTP_PROXY` counts only in lower case where `REQUEST_METHOD` is set: a CGI server makes it of the header
`Proxy` that any client can send. `no_proxy` lists, separated by commas or blanks, what is reached without a proxy:

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

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import DEFAULT_PORTS, parse_endpoint


def find_proxy(scheme: str, host: str, port: int | None, environment: Mapping[str, str]) -> str | None:
    """The URL of the proxy on the way to a host, with its userinfo; None where there is none.

    Arguments:
        scheme: that of the request: `"http"` or `"https"`.
        host: a name or an address, an IPv6 address with or without brackets.
        port: its port; None is the default of the scheme.
        environment: the variables.

    Raises:
        ConfigInvalid: what the environment names is not an HTTP proxy. The message repeats no value: it may hold a
            password.
    """
    for name in (f"{scheme}_proxy", "all_proxy"):
        if (found := _variable(name, environment)) is not None:
            variable, value = found
            if not value or _is_excepted(host, port or DEFAULT_PORTS.get(scheme), environment):
                return None
            return _checked(variable, value)
    return None


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The spelling and the value of a variable. One that is empty counts: it says that there is no proxy."""
    is_cgi = "REQUEST_METHOD" in environment
    spellings = (name,) if name == "http_proxy" and is_cgi else (name, name.upper())
    return next(((one, environment[one].strip()) for one in spellings if one in environment), None)


def _checked(variable: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parse_endpoint(url)
    except ConfigInvalid as error:
        raise ConfigInvalid(
            f"the variable {variable} does not name an HTTP proxy ({error.message}): "
            "set it to http://host:port, or unset it",
            operation="configure",
        ) from None
    return url


def _is_excepted(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    found = _variable("no_proxy", environment)
    entries = found[1].replace(",", " ").split() if found else ()
    name = host.strip("[]").rstrip(".").lower()
    address = _address(name)
    return any(_matches(entry.lower(), name, address, port) for entry in entries)


def _matches(entry: str, name: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
    place, entry_port = _split_port(entry)
    if entry_port is not None and entry_port != str(port):
        return False
    if place == "*":
        return True
    return _is_name_in(name, place) if address is None else _is_address_in(address, place)


def _split_port(entry: str) -> tuple[str, str | None]:
    """Host and port of an entry. An IPv6 address needs brackets before a port."""
    if entry.startswith("["):
        place, _, rest = entry[1:].partition("]")
        return place, rest.removeprefix(":") or None
    place, colon, port = entry.partition(":")
    return (place, port) if colon and ":" not in port else (entry, None)


def _is_name_in(name: str, place: str) -> bool:
    if place.startswith("*."):
        return name.endswith(place[1:].rstrip("."))
    domain = place.strip(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


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
