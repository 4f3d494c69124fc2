"""The head of a response, and the framing of the content that follows it.

Each header that decides where the response ends (Content-Length, Transfer-Encoding, Connection) is interpreted only
here, so that no two parsers can disagree. Contradictions are errors (RFC 9112, 6.3): a length beside a coding, a length
that is not one number, a coding other than chunked. A head that is only untidy (a bare LF, a folded header, an empty
line before it) is accepted, but the connection does not serve another request after it.

The memory and time that a server can cost are bounded: `MAX_HEAD` bytes and `MAX_FIELDS` headers up to the end of the
final head, and `MAX_INFORMATIONAL` responses before it.
"""

import re
from typing import Final, NamedTuple

from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders

from .framing import FIELD_NAME, ByLength, Chunked, Framing, MalformedResponse

MAX_HEAD: Final = 64 * 1024
"""The most bytes of the head, informational responses before it included."""

MAX_FIELDS: Final = 1000
"""The most headers of a head."""

MAX_INFORMATIONAL: Final = 16
"""The most informational responses (1xx) before the final one."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_STATUS_LINE: Final = r"HTTP/1\.([0-9]) +([0-9]{3})(?:[ \t][^\r\n\0]*+)?"
_STATUS: Final = re.compile(rf"{_STATUS_LINE}\r?\n")
_TIDY: Final = re.compile(rf"{_STATUS_LINE}((?:\r\n{FIELD_NAME}:[^\r\n\0]*+)*+)\r\n\r\n")
_FOLD: Final = re.compile(r"[ \t]*\r\n[ \t]+")
_BLANKS: Final = " \t"
_START: Final = b"HTTP/1."


class NotHttp(MalformedResponse):
    """The received bytes do not start as a response does."""


class HeadTooLarge(MalformedResponse):
    """The head, or the informational responses before it, exceed a bound."""


class UnknownCoding(MalformedResponse):
    """The content has a transfer coding that no request accepts."""


class ResponseHead(NamedTuple):
    """The head of a response.

    Attributes:
        status: the status code.
        headers: the headers.
        length: how many bytes of content follow; None if only the framing finds the end.
        is_chunked: whether the content is in the chunked coding.
        may_keep: whether the connection can serve another request once the content has ended.
    """

    status: int
    headers: HttpHeaders
    length: int | None
    is_chunked: bool
    may_keep: bool

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the end of the connection ends the content."""
        return self.length is None and not self.is_chunked

    def framing(self) -> Framing:
        """Finds the end of the content."""
        if self.length is not None:
            return ByLength(self.length)
        return Chunked() if self.is_chunked else Framing()


class HeadReader:
    """Collects the head of the response to one request. Informational responses before it are skipped.

    Arguments:
        has_content: whether the response can have content. A response to HEAD has none, whatever its headers say.
    """

    __slots__ = ("_has_content", "_informational", "_is_tidy", "_passed", "_pending")

    def __init__(self, *, has_content: bool) -> None:
        self._has_content = has_content
        self._pending = b""
        self._informational = 0
        self._is_tidy = True
        self._passed = 0

    def take(self, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """Takes bytes from the connection. Returns the head and the bytes after it, once the head is complete.

        Raises:
            NotHttp: this is not the start of a response.
            HeadTooLarge: the response is not within the bounds.
            MalformedResponse: the head is not valid.
        """
        searched = max(0, len(self._pending) - 2)  # the end of the head may start there
        data = self._skip_empty_lines(self._pending + data if self._pending else data)
        while found := _HEAD_END.search(data, searched):
            end, searched = found.end(), 0
            self._pass(end)
            head = parse_head(data[:end], has_content=self._has_content)
            data = data[end:]
            if not 100 <= head.status < 200 or head.status == 101:  # no other response follows a 101
                return (head if self._is_tidy else head._replace(may_keep=False)), data
            self._note_informational()
            data = self._skip_empty_lines(data)
        self._keep(data)
        return None

    def _skip_empty_lines(self, data: bytes) -> bytes:
        """Skips empty lines: some servers send one after the content, and it can arrive with the next response."""
        if not data.startswith((b"\r", b"\n")):
            return data
        stripped = data.lstrip(b"\r\n")
        self._is_tidy = False
        self._pass(len(data) - len(stripped))
        return stripped

    def _note_informational(self) -> None:
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            raise HeadTooLarge(f"more than {MAX_INFORMATIONAL} informational responses")

    def _pass(self, size: int) -> None:
        self._passed += size
        if self._passed > MAX_HEAD:
            raise HeadTooLarge(f"more than {MAX_HEAD} bytes")

    def _keep(self, start: bytes) -> None:
        if not _START.startswith(start[: len(_START)]):
            raise NotHttp("the response does not start with a status line")
        if self._passed + len(start) > MAX_HEAD:
            raise HeadTooLarge(f"more than {MAX_HEAD} bytes")
        self._pending = start


def parse_head(raw: bytes, *, has_content: bool = True) -> ResponseHead:
    """Parses the head of a response, which ends with an empty line.

    Raises:
        NotHttp: the first line is not a status line.
        HeadTooLarge: it has too many headers.
        MalformedResponse: a header is not valid, or contradicts another.
    """
    text = raw.decode("utf-8", "surrogateescape")
    found = _TIDY.fullmatch(text)
    is_tidy = found is not None
    if found is None:
        found = _TIDY.fullmatch(_tidied(text))
    if found is None:
        raise MalformedResponse("a line of the head is not a header")
    minor_version, status, fields = found.groups()
    headers = _parse_fields(fields.split("\r\n"))
    return _judged(int(status), minor_version, headers, is_tidy=is_tidy, has_content=has_content)


def _tidied(text: str) -> str:
    """Gives every line its CRLF, and joins a folded header (RFC 9112, 2.2 and 5.2)."""
    status_line = _STATUS.match(text)
    if status_line is None:
        raise NotHttp("the response does not start with a status line")
    if text[status_line.end()] in " \t":  # folded to the status line, it would be ambiguous
        raise MalformedResponse("white space before the first header")
    lines = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return _FOLD.sub(" ", lines[:-4]) + "\r\n\r\n"


def _parse_fields(lines: list[str]) -> HttpHeaders:
    """Parses headers; the first line is empty."""
    if len(lines) > MAX_FIELDS + 1:
        raise HeadTooLarge(f"more than {MAX_FIELDS} headers")
    headers = HttpHeaders()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip(_BLANKS)}" if key in headers else value.strip(_BLANKS)
    return headers


def _judged(status: int, minor_version: str, headers: HttpHeaders, *, is_tidy: bool, has_content: bool) -> ResponseHead:
    """Decides how long the content is, and whether the connection can be kept (RFC 9112, 6.3 and 9.3)."""
    if 100 <= status < 200:
        return ResponseHead(status, headers, 0, is_chunked=False, may_keep=False)
    is_chunked, stated = _is_chunked(headers), _stated_length(headers)
    may_keep = is_tidy and _persists(minor_version, headers, is_chunked=is_chunked)
    if status in (204, 304) or not has_content:
        may_keep = may_keep and (status != 204 or not (is_chunked or stated))
        return ResponseHead(status, headers, 0, is_chunked=False, may_keep=may_keep)
    return ResponseHead(status, headers, stated, is_chunked, may_keep and (is_chunked or stated is not None))


def _is_chunked(headers: HttpHeaders) -> bool:
    coding = headers.get("transfer-encoding")
    if coding is None:
        return False
    if "content-length" in headers:
        raise MalformedResponse("both a Content-Length and a Transfer-Encoding")
    if (
        not coding.isascii() or coding.lower() != "chunked"
    ):  # some letters that are not ASCII become ASCII in lower case
        raise UnknownCoding
    return True


def _stated_length(headers: HttpHeaders) -> int | None:
    stated = headers.get("content-length")
    length = parse_length(stated)
    if stated is not None and length is None:
        raise MalformedResponse("the Content-Length is not a number")
    return length


def _persists(minor_version: str, headers: HttpHeaders, *, is_chunked: bool) -> bool:
    """Whether the server keeps the connection. HTTP 1.0 has no chunked coding, so its end there is doubtful."""
    stated = headers.get("connection", "")
    options = [option.strip(_BLANKS) for option in stated.lower().split(",")] if stated else ()
    if minor_version == "0" and (is_chunked or "keep-alive" not in options):
        return False
    return "close" not in options
