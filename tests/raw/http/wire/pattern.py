"""The head of a response by one pattern for all of it: slow, and short enough to be seen to be right."""

import re
from typing import Final

from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import MAX_FIELDS, HeadTooLarge, NotHttp, ResponseHead, UnknownCoding

_STATUS: Final = r"HTTP/1\.(?P<minor>[0-9]) +(?P<status>[0-9]{3})(?:[ \t][^\r\n\0]*)?"
_FIELD: Final = r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*"
_HEAD: Final = re.compile(rf"{_STATUS}(?P<fields>(?:\r\n{_FIELD})*)\r\n\r\n")
_LENGTH: Final = re.compile("[0-9]{1,19}")


def parse_by_pattern(raw: bytes, *, has_content: bool) -> ResponseHead:
    """The same as `parse_head`, with the same errors."""
    text = raw.decode("utf-8", "surrogateescape")
    tidy = _HEAD.fullmatch(text)
    found = tidy or _HEAD.fullmatch(_tidied(text))
    if found is None:
        raise MalformedResponse
    headers = re.findall(rf"\r\n{_FIELD}(?=\r\n|$)", found["fields"])
    if len(headers) > MAX_FIELDS:
        raise HeadTooLarge
    return _judged(int(found["status"]), found["minor"], HttpHeaders(headers), tidy is not None, has_content)


def _tidied(text: str) -> str:
    lines = re.sub(r"\r?\n", "\r\n", text)
    if not re.match(rf"{_STATUS}\r\n", lines):
        raise NotHttp
    if re.match(rf"{_STATUS}\r\n[ \t]", lines):
        raise MalformedResponse
    return re.sub(r"[ \t]*\r\n[ \t]+", " ", lines[:-4]) + "\r\n\r\n"


def _judged(status: int, minor: str, headers: HttpHeaders, is_tidy: bool, has_content: bool) -> ResponseHead:
    coding, stated = headers.get("transfer-encoding"), headers.get("content-length")
    options = [option.strip(" \t").lower() for option in headers.get("connection", "").split(",")]
    if status // 100 == 1:
        return ResponseHead(status, headers, 0, False, False)
    if coding is not None and stated is not None:
        raise MalformedResponse
    if coding is not None and not re.fullmatch("(?ai:chunked)", coding):
        raise UnknownCoding
    if stated is not None and (not _LENGTH.fullmatch(stated) or int(stated) >= 2**63):
        raise MalformedResponse
    length = None if stated is None else int(stated)
    may_keep = is_tidy and "close" not in options
    if minor == "0":
        may_keep = may_keep and "keep-alive" in options and coding is None
    if status in (204, 304) or not has_content:
        is_odd = status == 204 and (coding is not None or bool(length))
        return ResponseHead(status, headers, 0, False, may_keep and not is_odd)
    is_framed = coding is not None or length is not None
    return ResponseHead(status, headers, length, coding is not None, may_keep and is_framed)
