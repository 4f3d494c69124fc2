"""The CPU time of HTTP/1.1 without a network: heads that are written and read, and content in chunks.

    python -m benchmarks.wire [--rounds 15]

Beside the parser in C of aiohttp, and httptools where it is installed. These give raw headers; ours also decides how
long the content is and whether the connection can be kept. All parsers are measured in turn in each round, and the
least of the rounds counts.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser

from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.wire.exchange import Exchange
from entrepot.raw.http.wire.framing import Chunked
from entrepot.raw.http.wire.request_head import HeadWriter
from entrepot.raw.http.wire.response_head import parse_head

CONTENT: Final = bytes(4096)
NGINX: Final = (
    "Server: nginx/1.27.4",
    "Date: Sun, 29 Nov 2026 22:11:33 GMT",
    "Content-Type: application/octet-stream",
    f"Content-Length: {len(CONTENT)}",
    "Last-Modified: Sun, 29 Nov 2026 20:11:33 GMT",
    "Connection: keep-alive",
    'ETag: "692b5a75-1000"',
    "Accept-Ranges: bytes",
)
AMAZON: Final = (
    "x-amz-id-2: 8nuqy4MvvKqOFcXqG0rGnIuLZ7pFLB5WbgZz0lJvdOWYDYmaAUbqLwCyyiS4qQ0fLyTnSYUCVE0=",
    "x-amz-request-id: TX234S0F24A06C7Q",
    "Date: Sun, 29 Nov 2026 22:11:33 GMT",
    "Last-Modified: Sat, 28 Nov 2026 20:11:33 GMT",
    'ETag: "0123456789abcdef0123456789abcdef"',
    "x-amz-server-side-encryption: AES256",
    "x-amz-version-id: null",
    "x-amz-checksum-crc64nvme: AAAAAAAAAAA=",
    "Accept-Ranges: bytes",
    "Content-Type: application/octet-stream",
    f"Content-Length: {len(CONTENT)}",
    "Server: AmazonS3",
)
HEADS: Final = {
    "8 headers, nginx": NGINX,
    "12 headers, Amazon": AMAZON,
    "30 headers": (*NGINX, *(f"x-amz-meta-key-{number}: the value of the key {number}" for number in range(22))),
}
SIGNED: Final = [
    ("x-amz-date", "20261129T221133Z"),
    ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
        "Authorization",
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261129/us-east-1/s3/aws4_request, "
            f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={'0123456789abcdef' * 4}"
        ),
    ),
]
COMMON: Final = {
    "host": "Host: 127.0.0.1:9000",
    "accept-encoding": "Accept-Encoding: identity",
    "user-agent": "User-Agent: entrepot",
}
CHUNKS: Final = {"64 KiB": 64 * 1024, "8 KiB": 8 * 1024, "100 bytes": 100}

Case = Callable[[], object]


def microseconds(cases: dict[str, Case], calls: int, rounds: int) -> dict[str, float]:
    """The CPU time of a call of each case: the least of the rounds."""
    least = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, case in cases.items():
            start = time.process_time()
            for _ in range(calls):
                case()
            least[name] = min(least[name], (time.process_time() - start) / calls * 1e6)
    return least


def response_cases(head: bytes) -> dict[str, Case]:
    """A response of 4 KiB that arrives in one receive."""
    response = head + CONTENT
    loop = asyncio.new_event_loop()
    protocol = BaseProtocol(loop)

    def exchanged() -> bytes:
        exchange = Exchange(has_content=True)
        exchange.request_sent()
        content = exchange.take(response)
        assert exchange.may_serve_another
        return content

    def by_aiohttp() -> object:
        return HttpResponseParser(protocol, loop, 1 << 16).feed_data(response)

    cases: dict[str, Case] = {"head": lambda: parse_head(head), "exchange": exchanged, "aiohttp (C)": by_aiohttp}
    return cases | httptools_cases(response)


def httptools_cases(response: bytes) -> dict[str, Case]:
    """The same by httptools, into a dict of bytes; empty if it is not installed."""
    try:
        import httptools
    except ImportError:
        return {}

    class Collector:
        def __init__(self) -> None:
            self.headers: dict[bytes, bytes] = {}
            self.content: Any = None

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers[name.lower()] = value

        def on_body(self, content: bytes) -> None:
            self.content = content

    def collected() -> object:
        collector = Collector()
        httptools.HttpResponseParser(collector).feed_data(response)
        return collector

    return {"httptools (C)": collected}


def request_cases() -> dict[str, Case]:
    """The head of a request: without headers of its own, and with those of a signature."""
    writer = HeadWriter(COMMON)
    plain, signed = (HttpRequest("GET", "http://127.0.0.1:9000/bench/small", headers) for headers in ((), SIGNED))
    return {
        "plain": lambda: writer.write(plain, "/bench/small"),
        "signed": lambda: writer.write(signed, "/bench/small"),
    }


def chunk_cases() -> dict[str, Case]:
    """A MiB in chunks of some size, 64 KiB of it in each receive."""
    return {name: _chunked_case(size) for name, size in CHUNKS.items()}


def _chunked_case(size: int) -> Case:
    message = (b"%x\r\n%s\r\n" % (size, bytes(size))) * ((1 << 20) // size) + b"0\r\n\r\n"
    pieces = [message[start : start + 65536] for start in range(0, len(message), 65536)]

    def framed() -> None:
        framing = Chunked()
        for piece in pieces:
            framing.take(piece)
        assert framing.is_at_end

    return framed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured (15)")
    rounds = parser.parse_args().rounds
    tables = {
        **{name: response_cases("\r\n".join(["HTTP/1.1 200 OK", *HEADS[name], "\r\n"]).encode()) for name in HEADS},
        "the head of a request": request_cases(),
    }
    for name, cases in tables.items():
        print(f"{name}, us:", _row(microseconds(cases, 5000, rounds)))
    print("1 MiB in chunks, us:", _row(microseconds(chunk_cases(), 20, rounds)))


def _row(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())


if __name__ == "__main__":
    main()
