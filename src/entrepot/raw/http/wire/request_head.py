"""The head of a request: exactly its own headers, and as few others as possible."""

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
        target: the request target.
        common: the headers that it has unless it sets them itself, by name in lower case. A header of the request
            takes the place of the common one, so that Host stays the first.

    Raises:
        InvalidInput: a part of it would end a line or a field, or cannot be encoded.
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
        # RFC 9110, 8.6. It is stated whatever length the request states itself.
        lines.append(f"Content-Length: {request.size}")
    lines.append("\r\n")
    # Outside of the handler: the error that is handled there holds the whole head, with its signature.
    if (head := _encoded("\r\n".join(lines))) is None:
        raise InvalidInput("the URL or a header of the request has a lone surrogate")
    return head


def _encoded(text: str) -> bytes | None:
    try:
        # An etag is sent with the bytes that it was received with, which may not be UTF-8.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _check(text: str) -> None:
    # Most heads are printable, which is checked faster than the forbidden characters.
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise InvalidInput("the URL or a header of the request has a control character")
