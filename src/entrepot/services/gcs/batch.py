"""Deletions of many objects by one request, pure: batch requests of the Cloud Storage JSON API.

A part of the response belongs to the part of the request whose `Content-ID` it repeats; their order is not promised.
"""

import re
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Final

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import encode_query

from .core import GcsCore, version_query

MAX_DELETIONS: Final = 100
"""The most calls in one batch."""

KeyVersion = tuple[str, str | None]
"""A key and the version to delete; None is the object."""

_BOUNDARY: Final = re.compile(r"boundary=(?:\"([^\"]+)\"|([^;\s]+))", re.IGNORECASE)
_ID: Final = re.compile(r"<?response-(?:.*\+)?([0-9]+)>?")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")


def delete_objects(core: GcsCore, objects: Sequence[KeyVersion]) -> HttpRequest:
    """The request.

    Raises:
        InvalidInput: no object can have one of the keys, or a version is malformed.
    """
    boundary = token_hex(16)
    parts = [_part(core, number, *each) for number, each in enumerate(objects)]
    content = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    headers = [*core.every, ("Content-Type", f"multipart/mixed; boundary={boundary}")]
    return HttpRequest("POST", f"{core.endpoint}/batch/storage/v1", headers, content.encode())


def deletion_failures(core: GcsCore, headers: HttpHeaders, content: bytes, count: int) -> Iterator[tuple[int, Error]]:
    """The deletions that failed, by their index in the request. An object that did not exist is not a failure.

    Arguments:
        core: the dialect.
        headers: the headers of the response.
        content: its body.
        count: the number of deletions.

    Raises:
        Unexpected: the response cannot be understood. Temporary: deleting twice does no harm.
    """
    outcomes = dict(_outcomes(headers, content))
    for index in range(count):
        if index not in outcomes:
            raise _malformed("states no outcome of a deletion")
        status, stated, body = outcomes[index]
        if 200 <= status < 300:
            continue
        error = core.error(status, stated, body)
        if not isinstance(error, NotFound):
            yield index, error


def _part(core: GcsCore, number: int, key: str, version: str | None) -> str:
    target = f"{core.object_path(key)}{encode_query(version_query(version))}"
    return f"Content-Type: application/http\r\nContent-ID: <{number}>\r\n\r\nDELETE {target} HTTP/1.1\r\n\r\n"


def _outcomes(headers: HttpHeaders, content: bytes) -> Iterator[tuple[int, tuple[int, HttpHeaders, bytes]]]:
    match = _BOUNDARY.search(headers.get("content-type", ""))
    if match is None:
        raise _malformed("has no parts")
    boundary = (match[1] or match[2]).encode()
    for part in content.split(b"--" + boundary)[1:]:
        if part.startswith(b"--"):
            return
        outer, _, inner = part.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
        head, _, body = inner.lstrip(b"\n").partition(b"\n\n")
        status, named = _STATUS.match(head), _ID.fullmatch(_headers(outer).get("content-id", ""))
        if status is None or named is None:
            raise _malformed("has a part that is not one of a deletion")
        yield int(named[1]), (int(status[1]), _headers(head.partition(b"\n")[2]), body)


def _headers(text: bytes) -> HttpHeaders:
    lines = text.decode("utf-8", "replace").split("\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return HttpHeaders((name.strip(), value.strip()) for name, _, value in pairs)


def _malformed(what: str) -> Unexpected:
    return Unexpected(f"the response to many deletions {what}", is_temporary=True)
