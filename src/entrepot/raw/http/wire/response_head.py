"""The head of a response, and the framing of the content that follows it.

Each header that decides where the response ends (Content-Length, Transfer-Encoding, Connection) is interpreted only
here, so that no two parsers can disagree. Contradictions are errors (RFC 9112, 6.3): a length beside a coding, a length
that is not one number, a coding other than chunked. A head that is only untidy (a bare LF, a folded header, an empty
line before it) is accepted, but the connection does not serve another request after it.

There is one parser. A head is split into lines and these at their colons; an untidy head is tidied first. The names of
headers and the status lines, which repeat from response to response, are checked once and cached. What a server chooses
for each response, the values, is not.

The memory and time that a server can cost are bounded: `MAX_HEAD` bytes and `MAX_FIELDS` headers up to the end of the
final head, and `MAX_INFORMATIONAL` responses before it. The caches have few entries, of short texts, for all servers.
"""

import re
from typing import Final, NamedTuple

from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders
from entrepot.types.patterns import pattern

from .framing import FIELD_NAME, ByLength, Chunked, Framing, MalformedResponse
from .text_cache import TextCache

MAX_HEAD: Final = 64 * 1024
"""The most bytes of the head, informational responses before it included."""

MAX_FIELDS: Final = 1000
"""The most headers of a head."""

MAX_INFORMATIONAL: Final = 16
"""The most informational responses (1xx) before the final one."""

_FIRST: Final = 8 * 1024  # more than nearly all heads have

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_TIDY_END: Final = b"\r\n\r\n"
_MAX_TIDY: Final = MAX_HEAD - len(_TIDY_END)
_NAME: Final = pattern(FIELD_NAME)
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([0-9]) +([0-9]{3})(?:[ \t][^\r\n\0]*+)?")
_FOLD: Final = pattern(r"(?<![ \t])(?:[ \t]*+\r\n[ \t]++)+")  # from the first blank on, or each blank would be tried
_BLANKS: Final = " \t"
_START: Final = b"HTTP/1."
_TLS_ALERT: Final = b"\x15\x03"
_PERSISTENT: Final = frozenset({"", "keep-alive", "Keep-Alive"})
_new: Final = tuple.__new__
_WITHOUT_CONTENT: Final = frozenset({204, 304})


class NotHttp(MalformedResponse):
    """The received bytes do not start as a response does."""


class TlsAlert(NotHttp):
    """The received bytes are an alert of TLS (RFC 8446, 6): the server takes no plain HTTP."""


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
        if not self._pending and not self._passed:
            received = whole_head(data, self._has_content)
            if received is not None:
                return received
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
            if start.startswith(_TLS_ALERT):
                raise TlsAlert("the response is an alert of TLS")
            raise NotHttp("the response does not start with a status line")
        if self._passed + len(start) > MAX_HEAD:
            raise HeadTooLarge(f"more than {MAX_HEAD} bytes")
        self._pending = start


def whole_head(data: bytes | memoryview, has_content: bool) -> tuple[ResponseHead, bytes] | None:
    """The head at the start of the bytes, and the bytes after it, if it is complete, tidy and final, as most are.

    Otherwise None: a `HeadReader` finds out what it is. So it does with a long head in a memoryview.

    Raises:
        HeadTooLarge: it has too many headers.
        MalformedResponse: a header contradicts another.
    """
    raw, end, rest = data.partition(_TIDY_END) if isinstance(data, bytes) else _parted(data)
    if not end or len(raw) > _MAX_TIDY:
        return None
    head = _parse_tidy(raw.decode("utf-8", "surrogateescape"), has_content, True)
    return None if head is None or head.status < 200 else (head, rest)


def _parted(data: memoryview) -> tuple[bytes, bytes, bytes]:
    """The head, its end and the rest, which is copied only once; the end is empty if the first bytes do not have it."""
    raw, end, _ = data[:_FIRST].tobytes().partition(_TIDY_END)
    return raw, end, data[len(raw) + len(end) :].tobytes()


def parse_head(raw: bytes, *, has_content: bool = True) -> ResponseHead:
    """Parses the head of a response, which ends with an empty line.

    Raises:
        NotHttp: the first line is not a status line.
        HeadTooLarge: it has too many headers.
        MalformedResponse: a header is not valid, or contradicts another.
    """
    text = raw.decode("utf-8", "surrogateescape")
    head = _parse_tidy(text[:-4], has_content, True) if text.endswith("\r\n\r\n") else None
    if head is None:
        head = _parse_tidy(_tidied(text), has_content, False)
    if head is None:
        raise MalformedResponse("a line of the head is not a header")
    return head


def _tidied(text: str) -> str:
    """Gives every line its CRLF, joins a folded header, and drops the empty line (RFC 9112, 2.2 and 5.2)."""
    lines = text.replace("\r\n", "\n").split("\n")
    if _STATUS_LINE.fullmatch(lines[0]) is None:
        raise NotHttp("the response does not start with a status line")
    if lines[1].startswith((" ", "\t")):  # folded to the status line, it would be ambiguous
        raise MalformedResponse("white space before the first header")
    return _FOLD.sub(" ", "\r\n".join(lines[:-2]))


def _name(text: str) -> str:
    """The name of a header in lower case.

    Raises:
        ValueError: it is not a name.
    """
    if _NAME.fullmatch(text) is None:
        raise ValueError("not the name of a header")
    return text.lower()


def _status(line: str) -> tuple[int, str]:
    """The status and the minor version in a status line.

    Raises:
        ValueError: it is not a status line.
    """
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise ValueError("not a status line")
    return int(found[2]), found[1]


_names: Final = TextCache(_name)
_statuses: Final = TextCache(_status)


def _parse_tidy(text: str, has_content: bool, was_tidy: bool) -> ResponseHead | None:
    """Parses a head; None if a line is not valid.

    Arguments:
        text: the head without its empty line.
        has_content: whether the response can have content.
        was_tidy: whether it arrived so.

    Raises:
        HeadTooLarge: it has too many headers.
        MalformedResponse: a header contradicts another.
    """
    lines = text.split("\r\n")
    status_line = lines.pop(0)
    rest = "".join(lines)
    if "\r" in rest or "\n" in rest or "\0" in rest:
        return None
    names, headers = _names, HttpHeaders.__new__(HttpHeaders)  # its constructor would look at each name again
    try:
        status, minor_version = _statuses[status_line]
        for line in lines:
            name, value = line.split(":", 1)
            headers[names[name]] = value.strip(_BLANKS)
    except ValueError:  # a line has no colon, or is not valid
        return None
    if len(lines) > MAX_FIELDS:
        raise HeadTooLarge(f"more than {MAX_FIELDS} headers")
    if len(headers) != len(lines):
        headers = HttpHeaders((name, value.strip(_BLANKS)) for name, value in (line.split(":", 1) for line in lines))
    return _judged(status, minor_version, headers, has_content, was_tidy)


def _judged(status: int, minor_version: str, headers: HttpHeaders, has_content: bool, is_tidy: bool) -> ResponseHead:
    """Decides how long the content is, and whether the connection can be kept (RFC 9112, 6.3 and 9.3)."""
    if 100 <= status < 200:
        return ResponseHead(status, headers, 0, is_chunked=False, may_keep=False)
    is_chunked = "transfer-encoding" in headers
    if is_chunked:
        _check_coding(headers)
    stated, length = headers.get("content-length"), None
    if stated is not None:
        length = parse_length(stated)
        if length is None:
            raise MalformedResponse("the Content-Length is not a number")
    persists = minor_version != "0" and headers.get("connection", "") in _PERSISTENT
    may_keep = is_tidy and (persists or _persists(minor_version, headers, is_chunked))
    if not has_content or status in _WITHOUT_CONTENT:
        may_keep = may_keep and (status != 204 or not (is_chunked or length))
        return ResponseHead(status, headers, 0, is_chunked=False, may_keep=may_keep)
    may_keep = may_keep and (is_chunked or length is not None)
    # The constructor of a named tuple is a function of Python, which takes as long as the rest of the judgement.
    return _new(ResponseHead, (status, headers, length, is_chunked, may_keep))


def _check_coding(headers: HttpHeaders) -> None:
    coding = headers["transfer-encoding"]
    if "content-length" in headers:
        raise MalformedResponse("both a Content-Length and a Transfer-Encoding")
    if not coding.isascii() or coding.lower() != "chunked":
        # A letter that is not ASCII can become ASCII in lower case.
        raise UnknownCoding


def _persists(minor_version: str, headers: HttpHeaders, is_chunked: bool) -> bool:
    """Whether the server keeps the connection, in any case. HTTP 1.0 has no chunked coding, so its end is doubtful."""
    options = [option.strip(_BLANKS) for option in headers.get("connection", "").lower().split(",")]
    if minor_version == "0" and (is_chunked or "keep-alive" not in options):
        return False
    return "close" not in options
