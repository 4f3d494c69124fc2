"""The heads of requests: exactly their own headers, and as few others as possible.

Theory of operation. Most requests to an origin have one of a few combinations of header names. The lines of each
combination are kept as a template (`_Form`) without the values of the requests, which are put into it at once. Headers
with repeated names, and fewer than two, have no form: their lines are made one by one, and are the same. Whatever made
them, the finished head is searched for control characters, so that no text in it can end a line.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw.http.transport import Header, HttpRequest

_WITH_CONTENT: Final = frozenset({"PATCH", "POST", "PUT"})
_FORBIDDEN: Final = bytes({*range(0x20), 0x7F} - {0x09})
"""The control characters. A tab may be part of a value."""

_LENGTH: Final = "content-length"
_FORMS: Final = 64
"""How many combinations of header names are kept for an origin. User metadata may have any number of them."""


class _Form:
    """The lines of headers with the same names, in the same order: all but the values.

    Arguments:
        lines: each line, or its start up to the value.
        names: the names of the values, by the number of their lines.
    """

    __slots__ = ("parts", "size", "values")

    def __init__(self, lines: Sequence[str], names: Mapping[int, str]) -> None:
        self.size = len(lines)
        self.parts = [""]
        for number, line in enumerate(lines):
            self.parts[-1] += line
            if number in names:
                self.parts += "", ""
            self.parts[-1] += "\r\n"
        self.values: Callable[[Mapping[str, str]], tuple[str, ...]] = itemgetter(*names.values())


class HeadWriter:
    """Writes the heads of requests to one origin.

    Arguments:
        common: the headers that a request has unless it sets them itself: lines, by name in lower case. A header of the
            request takes the place of the common one, so that Host stays the first.
        prefix: the start of each target, for a proxy that needs the whole URL.
    """

    __slots__ = ("_common", "_forms", "_prefix")

    def __init__(self, common: Mapping[str, str], prefix: str = "") -> None:
        self._common = common
        self._prefix = prefix
        self._forms: dict[tuple[str, ...], _Form] = {}

    def write(self, request: HttpRequest, target: str) -> bytes:
        """The head of a request, its empty line included.

        Arguments:
            request: the request.
            target: the request target.

        Raises:
            InvalidInput: a part of it would end a line or a field, or cannot be encoded.
        """
        headers, body, length = request.headers, request.body, ""
        fields = dict(headers)
        form = self._forms.get(tuple(fields)) or self._new_form(fields)
        if form is not None and len(fields) == len(headers):
            parts, size = form.parts.copy(), form.size
            parts[1::2] = form.values(fields)
            lines = "".join(parts)
        else:
            lines, size = self._lines(headers)
        if body is not None or request.method in _WITH_CONTENT:
            # RFC 9110, 8.6. It is stated whatever length the request states itself.
            length = f"Content-Length: {len(body) if type(body) is bytes else request.size}\r\n"
            size += 1
        try:
            # An etag is sent with the bytes that it was received with, which may not be UTF-8.
            head = f"{request.method} {self._prefix}{target} HTTP/1.1\r\n{lines}{length}\r\n".encode(
                "utf-8", "surrogateescape"
            )
        except UnicodeEncodeError:
            head = b""
        if not head:
            # Outside of the handler: the error that is handled there holds the whole head, with its signature.
            raise InvalidInput("the URL or a header of the request has a lone surrogate")
        # Only the line breaks of its own are control characters: those of the headers, of the first line and of the
        # empty one. A search by a pattern takes four times as long.
        if len(head) - len(head.translate(None, _FORBIDDEN)) != 2 * size + 4:
            raise InvalidInput("the URL or a header of the request has a control character")
        return head

    def _lines(self, headers: Sequence[Header]) -> tuple[str, int]:
        """The lines of any headers, the common ones among them, and their number."""
        first, own = {**self._common}, []
        for name, value in headers:
            key, line = name.lower(), f"{name}: {value}"
            if key in first:
                first[key] = line
            elif key != _LENGTH:
                own.append(line)
        return "\r\n".join([*first.values(), *own, ""]), len(first) + len(own)

    def _new_form(self, fields: Mapping[str, str]) -> _Form | None:
        """The form of headers with these names; None if they have none."""
        names = {name.lower(): name for name in fields}
        lines = {**self._common, **{key: f"{name}: " for key, name in names.items() if key != _LENGTH}}
        valued = {number: names[key] for number, key in enumerate(lines) if key in names}
        if len(names) < len(fields) or len(valued) < 2:
            return None
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        self._forms[tuple(fields)] = form = _Form([*lines.values()], valued)
        return form
