"""A web server over one object that changes while it is read, careless in every way that a server can be."""

from dataclasses import dataclass, field

from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.testing import reply


@dataclass(frozen=True)
class Version:
    """What the object holds for some time."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None

    @property
    def validators(self) -> list[tuple[str, str]]:
        known = [("ETag", self.etag), ("Last-Modified", self.last_modified)]
        return [(name, value) for name, value in known if value is not None]


@dataclass
class HostileServer:
    """Answers requests for one object. Use it as the handler of a `MockTransport`.

    Arguments:
        versions: what the object holds, one version after the other.
        replaced_before: the numbers of the requests before which the next version takes its place, from 0.
        refused: the numbers of the requests for a range that are answered with 416, whatever was asked for.
        has_ranges: whether ranges are served; otherwise the whole object is sent.
        has_lengths: whether a whole object is sent with its length.
        head_has_length: whether HEAD tells the length.
        refusal_has_size: whether a 416 tells the size.
        checks: when If-Match is looked at: `"first"`, `"after the range"` or `"never"`.
    """

    versions: list[Version]
    replaced_before: list[int] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    has_ranges: bool = True
    has_lengths: bool = True
    head_has_length: bool = True
    refusal_has_size: bool = True
    checks: str = "never"
    requests: int = 0
    limit: int = 400

    @property
    def current(self) -> Version:
        reached = sum(number < self.requests for number in self.replaced_before)
        return self.versions[min(reached, len(self.versions) - 1)]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.requests += 1
        assert self.requests <= self.limit, "the requests do not end"
        headers = {name.lower(): value for name, value in request.headers}
        if self.checks == "first" and self._is_mismatch(headers):
            return reply(412)
        if request.method == "HEAD":
            return self._head()
        if "range" in headers and self.has_ranges:
            return self._part(headers)
        return self._whole()

    def _is_mismatch(self, headers: dict[str, str]) -> bool:
        return headers.get("if-match", self.current.etag) != self.current.etag

    def _head(self) -> HttpResponse:
        lengths = [("Content-Length", str(len(self.current.content)))] if self.head_has_length else []
        return reply(200, headers=[*lengths, *self.current.validators])

    def _whole(self) -> HttpResponse:
        content = self.current.content
        lengths = [("Content-Length", str(len(content)))] if self.has_lengths else []
        return reply(200, content, [*lengths, *self.current.validators])

    def _part(self, headers: dict[str, str]) -> HttpResponse:
        content = self.current.content
        first, _, last = headers["range"].removeprefix("bytes=").partition("-")
        begin = int(first) if first else max(0, len(content) - int(last))
        end = min(len(content), int(last) + 1) if first and last else len(content)
        if begin >= len(content) or self.requests - 1 in self.refused:
            return reply(416, b"no", [("Content-Range", f"bytes */{len(content)}")] if self.refusal_has_size else [])
        if self.checks == "after the range" and self._is_mismatch(headers):
            return reply(412)
        placed = ("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        length = ("Content-Length", str(end - begin))
        return reply(206, content[begin:end], [placed, length, *self.current.validators])
