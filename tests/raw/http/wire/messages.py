"""Responses by chance: valid ones, and the same with something changed."""

import random
from typing import Final

_STATUSES: Final = [
    "200 OK",
    "206 Partial Content",
    "404 Not Found",
    "503 ",
    "204 No Content",
    "304 Not Modified",
    "200",
]
_HEADERS: Final = [
    "Server: nginx/1.27.4",
    "Date: Sun, 29 Nov 2026 22:11:33 GMT",
    'ETag: "692b5a75-1000"',
    "Accept-Ranges: bytes",
    "X-Empty:",
    "x-amz-meta-a:\t1 , 2\t ",
    "Set-Cookie: a=b",
    "Set-Cookie: c=d: e",
    "X-\u00e4: no name",
    "X: \u00e4\u20ac",
    "Connection: keep-alive",
    "connection: Close",
    "Connection: x,keep-alive",
]
_INSERTED: Final = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\x0b", b":", b";", b",", b"-", b"+", b"_", b"0x", b"0", b"9" * 20),
    *(b"\r\n ", b"\r\n\t", b"\xe4", b"\xe2\x84\xaa", b"chunked", b"HTTP/1.1 ", b"HTTP/1.0 ", b"\r\n\r\n", b"\x7f"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"0\r\n\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: identity\r\n", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.1 101 \r\n\r\n"),
]
_BEYOND: Final = [b"", b"", b"", b"\r\n", b"more", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG"]


def valid(chance: random.Random) -> bytes:
    """A response of some status, with some headers, and its content in some form."""
    status, headers = chance.choice(_STATUSES), chance.sample(_HEADERS[:-5], chance.randint(0, 4))
    if chance.random() < 0.4:
        headers.append(chance.choice(_HEADERS[-3:]))
    content = bytes(chance.choices(b"ab\r\n0;", k=chance.choice([0, 1, 5, 5, 40])))
    form = chance.choice(["length", "length", "chunked", "end"])
    if form == "length":
        headers.append(f"Content-Length: {len(content)}")
    elif form == "chunked":
        headers.append("Transfer-Encoding: chunked")
        content = _chunked(content, chance)
    chance.shuffle(headers)
    version = chance.choice(["1.1", "1.1", "1.1", "1.0"])
    informational = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * (chance.random() < 0.1)
    return informational + "\r\n".join([f"HTTP/{version} {status}", *headers, "\r\n"]).encode() + content


def _chunked(content: bytes, chance: random.Random) -> bytes:
    body, position = b"", 0
    while position < len(content):
        chunk = content[position : position + chance.randint(1, 20)]
        extension = chance.choice([b"", b"", b"", b" ", b";a=b", b'; a="b"'])
        body += b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk)
        position += len(chunk)
    return body + b"0\r\n" + chance.choice([b"", b"", b"X-Trailer: 1\r\n"]) + b"\r\n"


def mutated(message: bytes, chance: random.Random) -> bytes:
    """The message with bytes, lines or texts changed, dropped, repeated or put in, and perhaps another behind it."""
    for _ in range(chance.randint(0, 3)):
        message = chance.choice([_with_bytes, _with_bytes, _with_lines])(message, chance)
    return message + chance.choice(_BEYOND)


def _with_bytes(message: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(message) + 1)
    end = min(len(message), at + chance.randint(1, 6))
    put_in = chance.choice([b"", bytes([chance.randrange(256)]), message[at:end] * 2, chance.choice(_INSERTED)])
    return message[:at] + put_in + message[end if chance.random() < 0.5 else at :]


def _with_lines(message: bytes, chance: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    at = chance.randrange(len(lines))
    lines[at : at + 1] = chance.choice([[], [lines[at]] * 2, [chance.choice(lines), lines[at]]])
    return chance.choice([b"\r\n", b"\r\n", b"\n"]).join(lines)


def cut(message: bytes, chance: random.Random) -> list[bytes]:
    """The message in up to five pieces, none of them empty."""
    cuts = sorted({chance.randrange(1, len(message)) for _ in range(chance.randint(0, 4))}) if len(message) > 1 else []
    return [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)], strict=True) if start < end]
