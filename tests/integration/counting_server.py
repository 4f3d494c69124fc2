"""A web server with one object in memory. It counts connections, requests and the bytes of content that it sent."""

import re
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 16 * 1024


class CountingServer(ThreadingHTTPServer):
    """Serves `content` at every path, with ranges and an etag.

    Attributes:
        connections: how many were accepted.
        requests: the method and range of each request.
        sent: the bytes of content that the sockets took.
    """

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.reset()

    def reset(self):
        self.connections, self.requests, self.sent = 0, [], 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that goes away is what is counted here, and no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_HEAD(self):
        self._respond(b"", self.headers.get("range"))

    def do_GET(self):
        self._respond(self.server.content, self.headers.get("range"))

    def _respond(self, content, range_):
        self.server.requests.append((self.command, range_))
        size, start = len(self.server.content), 0
        if range_ and self.command == "GET":
            first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", range_).groups()
            start = int(first) if first else size - int(last)
            stop = size if not first or not last else min(size, int(last) + 1)
            content = memoryview(content)[start:stop]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) if self.command == "GET" else size))
        self.send_header("ETag", '"an-etag"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        for begin in range(0, len(content), PIECE):
            piece = content[begin : begin + PIECE]
            self.wfile.write(piece)
            self.server.sent += len(piece)

    def log_message(self, *args):
        """Is silent."""


@contextmanager
def counting(content):
    """A running server with the content."""
    server = CountingServer(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
