"""Answers of the hub, and of its storage."""

from __future__ import annotations

import json
from hashlib import sha1

from entrepot.testing.scripted_server import ReceivedRequest, whole_response


class Refused(Exception):
    """A request is refused.

    Attributes:
        answer: the response.
    """

    def __init__(self, status: str, code: str = "", message: str = "") -> None:
        super().__init__(status)
        headers = [f"X-Error-Code: {code}"] if code else []
        headers += [f"X-Error-Message: {message}"] if message else []
        self.answer = whole_response(b"<html><p>refused</p></html>", "Content-Type: text/html", *headers, status=status)


def not_found(code: str) -> Refused:
    """The refusal of a name that leads to nothing."""
    return Refused("404 Not Found", code, "not found")


def ranged(request: ReceivedRequest, content: bytes, *headers: str) -> bytes:
    """A response with the requested range of content."""
    stated = request.range
    if stated is None:
        return whole_response(content, *headers)
    first, _, last = stated.removeprefix("bytes=").partition("-")
    size = len(content)
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        return whole_response(b"", f"Content-Range: bytes */{size}", status="416 Range Not Satisfiable")
    placed = f"Content-Range: bytes {start}-{end - 1}/{size}"
    return whole_response(content[start:end], placed, *headers, status="206 Partial Content")


def etag_of(content: bytes) -> str:
    """The etag of a part of a large file."""
    return f'"{sha1(content, usedforsecurity=False).hexdigest()}"'


def as_json(value: object, *headers: str) -> bytes:
    """A response with JSON."""
    return whole_response(json.dumps(value).encode(), "Content-Type: application/json", *headers)
