"""The status and headers with which a request for an object is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import quote

from entrepot import BytesRange, InvalidInput, Metadata

from .requests import ObjectRequest, Outcome

Header = tuple[str, str]

METHODS: Final = ("GET", "HEAD")

_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTABLE: Final = re.compile(r"[\x20-\x7e]*")
_UNKNOWN_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Presentation:
    """How an object is presented, beyond its own metadata.

    Arguments:
        filename: the name under which a browser saves the object. By default the stored Content-Disposition is sent.
        disposition: with `filename`, whether a browser saves the object or shows it.
        content_type: the media type, instead of the stored one.
        headers: further headers, which replace those of the object. They are part of the answers 200, 206 and 304.

    Raises:
        InvalidInput: a value does not fit into a header.
    """

    filename: str | None = None
    disposition: Literal["attachment", "inline"] = "attachment"
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.disposition not in {"attachment", "inline"}:
            raise InvalidInput("the disposition is 'attachment' or 'inline'")
        for name, value in {**self.headers, "content-type": self.content_type or ""}.items():
            if not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise InvalidInput("the name of a header is a token of HTTP, such as 'Cache-Control'")
            if not _fits(value):
                raise InvalidInput(f"the value of the header {name} is not text on one line")


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer.

    Arguments:
        status: the status code.
        headers: the header lines.
        range: the bytes of the object that are its content; None if it has none of them.
        text: the content of an answer without bytes of the object.
    """

    status: int
    headers: list[Header]
    range: BytesRange | None = None
    text: bytes = b""

    @property
    def range_to_open(self) -> BytesRange:
        """The range to read: a whole object is read without one, as its size may have changed."""
        return self.range if self.status == 206 and self.range is not None else BytesRange()


def refusal(status: int, *headers: Header) -> Answer:
    """An answer without an object. Its content is the phrase of the status."""
    text = f"{HTTPStatus(status).phrase}\n".encode()
    length = ("Content-Length", str(len(text)))
    return Answer(status, [("Content-Type", "text/plain; charset=utf-8"), length, *headers], text=text)


def answer_to(request: ObjectRequest, metadata: Metadata, presentation: Presentation) -> Answer:
    """The answer to a GET or HEAD request for an object with this metadata."""
    outcome, size = request.evaluate(metadata), metadata.content_length
    if outcome is Outcome.PRECONDITION_FAILED:
        return refusal(412)
    if outcome is Outcome.NOT_SATISFIABLE:
        return refusal(416, ("Content-Range", f"bytes */{size}"))
    if outcome is Outcome.NOT_MODIFIED:
        return Answer(304, _with(_validators(metadata), presentation.headers))
    wanted = request.requested_range()
    headers = [*_validators(metadata), *_representation(metadata, presentation)]
    if outcome is Outcome.WHOLE or wanted is None or size is None:
        if size is not None:
            headers += [("Accept-Ranges", "bytes"), ("Content-Length", str(size))]
        return Answer(200, _with(headers, presentation.headers), BytesRange(0, size))
    start, end = wanted.resolve(size)
    headers += [("Accept-Ranges", "bytes"), ("Content-Length", str(end - start))]
    headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
    return Answer(206, _with(headers, presentation.headers), BytesRange(start, end))


def _validators(metadata: Metadata) -> list[Header]:
    """The headers that a 304 has as well (15.4.5)."""
    written = metadata.last_modified
    found = {
        "ETag": metadata.etag if metadata.etag is not None and _ETAG.fullmatch(metadata.etag) else None,
        "Last-Modified": None if written is None else format_datetime(written.astimezone(UTC), usegmt=True),
        "Cache-Control": metadata.cache_control,
    }
    return _known(found)


def _representation(metadata: Metadata, presentation: Presentation) -> list[Header]:
    stored = metadata.content_disposition
    named = None if presentation.filename is None else content_disposition(presentation)
    found = {
        "Content-Type": presentation.content_type or metadata.content_type or _UNKNOWN_TYPE,
        "Content-Encoding": metadata.content_encoding,
        "Content-Language": metadata.content_language,
        "Content-Disposition": stored if named is None else named,
    }
    return _known(found)


def content_disposition(presentation: Presentation) -> str:
    """The Content-Disposition for a file name (RFC 6266; RFC 8187 where it is not plain ASCII)."""
    name, kind = presentation.filename or "", presentation.disposition
    if _QUOTABLE.fullmatch(name) and not {'"', "\\", "%"} & set(name):
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def _known(found: Mapping[str, str | None]) -> list[Header]:
    """The headers that have a value. One that does not fit into a header, which a service may store, is left out."""
    return [(name, value) for name, value in found.items() if value is not None and _fits(value)]


def _with(headers: list[Header], further: Mapping[str, str]) -> list[Header]:
    replaced = {name.lower() for name in further}
    return [*(line for line in headers if line[0].lower() not in replaced), *further.items()]


def _fits(value: object) -> bool:
    """Whether text fits into a header: no control characters but tabs (RFC 9110, 5.5), and no lone surrogates."""
    return isinstance(value, str) and not re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value)
