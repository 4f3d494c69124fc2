"""The origin and the target of a request, out of its URL."""

import re
from typing import Final

from entrepot.errors import InvalidInput

_SCHEMES: Final = frozenset({"http", "https"})
_URL: Final = re.compile(r"((?i:https?)://[^/?#]+)([^#]*)")


def split_url(url: str) -> tuple[str, str]:
    """Splits an absolute URL into its origin and its target, both unchanged. A fragment is dropped.

    Raises:
        InvalidInput: the URL is not HTTP, or has no host.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme in _SCHEMES and host and slash and "?" not in host and "#" not in url:
        return f"{scheme}://{host}", f"/{path}"  # the usual URL: the pattern takes twice as long
    match = _URL.match(url)
    if match is None:
        raise InvalidInput("the URL cannot be used: it must start with http:// or https:// and a host")
    origin, target = match.groups()
    return origin, target if target.startswith("/") else f"/{target}"


def absolute_form(origin: str) -> str:
    """The prefix of targets that a request to a proxy needs (RFC 9112, 3.2.2). Userinfo of the origin is dropped."""
    return f"http://{origin.rpartition('/')[2].rpartition('@')[2]}"
