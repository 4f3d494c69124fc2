"""The head of a request: exactly the headers that were asked for, and as few others as there can be."""

import re
from collections.abc import Mapping
from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw.http.transport import HttpRequest

_WITH_CONTENT: Final = frozenset({"PATCH", "POST", "PUT"})
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def head_of(request: HttpRequest, target: str, common: Mapping[str, str]) -> bytes:
    """The head of a request, its empty line included.

    Arguments:
        request: the request.
        target: what it asks for.
        common: the headers that it has unless it names them itself, by name in lower case. A header of its own
            stands in their place, so that Host stays the first.

    Raises:
        InvalidInput: something in it would end a line or a field, or is no text.
    """
    first, own = dict(common), list[str]()
    for name, value in request.headers:
        key = name.lower()
        if key in first:
            first[key] = f"{name}: {value}"
        elif key != "content-length":
            own.append(f"{name}: {value}")
    lines = [f"{request.method} {target} HTTP/1.1", *first.values(), *own]
    _check("".join(lines))
    if request.body is not None or request.method in _WITH_CONTENT:
        # RFC 9110, 8.6. It is stated whatever else the request says of it.
        lines.append(f"Content-Length: {request.size}")
    lines.append("\r\n")
    try:
        # An etag goes back with the bytes that it came with, which need not be UTF-8
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidInput("the URL or a header of the request holds a lone surrogate") from None


def _check(text: str) -> None:
    # Most is printable, which is told faster than what is not forbidden.
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise InvalidInput("the URL or a header of the request holds a control character")
