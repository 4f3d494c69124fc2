"""The origin and the target of a request, out of its URL."""

import re
from typing import Final

from entrepot.errors import InvalidInput

_SCHEMES: Final = frozenset({"http:", "https:"})
_URL: Final = re.compile(r"((?i:https?)://[^/?#]+)([^#]*)")


def split_url(url: str) -> tuple[str, str]:
    """Splits an absolute URL into its origin and its target, both unchanged. A fragment is dropped.

    Raises:
        InvalidInput: the URL is not HTTP, or has no host.
    """
    parts = url.split("/", 3)
    if len(parts) == 4 and "#" not in url:
        scheme, nothing, host, path = parts
        if scheme in _SCHEMES and not nothing and host and "?" not in host:
            return f"{scheme}//{host}", f"/{path}"  # the usual URL: the pattern takes twice as long
    match = _URL.match(url)
    if match is None:
        raise InvalidInput("the URL cannot be used: it must start with http:// or https:// and a host")
    origin, target = match.groups()
    return origin, target if target.startswith("/") else f"/{target}"


def absolute_form(origin: str) -> str:
    """The prefix of targets that a request to a proxy needs (RFC 9112, 3.2.2). Userinfo of the origin is dropped."""
    return f"http://{origin.rpartition('/')[2].rpartition('@')[2]}"
