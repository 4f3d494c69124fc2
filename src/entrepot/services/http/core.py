"""The requests to a web server and the meaning of its responses, pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import InvalidInput
from entrepot.raw import OpRead, OpStat, build_rooted_abs_path
from entrepot.raw.http.headers import basic_credentials, conditional_headers, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.reader import refused_size, stated_content
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest, HttpResponse
from entrepot.raw.http.url import encode_key
from entrepot.raw.path import is_dir_path
from entrepot.types import BytesRange, EntryMode, Metadata

HEAD_REFUSED: Final = frozenset({403, 405, 501})
"""The statuses of servers that refuse HEAD but may accept GET."""

SUCCESS: Final = frozenset(range(200, 300))

_SEPARATORS: Final = re.compile(r"[/\\]")
_PROBE: Final = BytesRange(0, 1)


@dataclass(frozen=True, slots=True)
class Site:
    """A directory on a web server, and the credentials for it.

    Arguments:
        origin: scheme, host and port, such as `"http://127.0.0.1:8000"`.
        root: the directory that paths are relative to, not percent-encoded, with a slash at both ends.
        username: for basic authentication.
        password: for basic authentication.
        token: for bearer authentication.
        headers: headers that every request has in addition.
    """

    origin: str
    root: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    headers: Sequence[Header] = field(default=(), repr=False)

    @property
    def is_open(self) -> bool:
        """Whether requests go without credentials."""
        return not self._credentials() and self.private_headers.isdisjoint({"authorization", "cookie"})

    @property
    def private_headers(self) -> frozenset[str]:
        """The names, in lower case, of headers that must not reach another server: they may hold a key."""
        return frozenset(name.lower() for name, _ in self.headers)

    def read_request(self, path: str, args: OpRead) -> HttpRequest:
        """The request for a range of an object."""
        stated = range_header(args.range)
        ranged: list[Header] = [] if stated is None else [("Range", stated)]
        return self._request("GET", path, args, ranged)

    def stat_request(self, path: str, args: OpStat) -> HttpRequest:
        """The request for the metadata of an object."""
        return self._request("HEAD", path, args, [])

    def probe_request(self, path: str, args: OpStat) -> HttpRequest:
        """The request for the same where HEAD is refused: the first byte, whose response states the size."""
        return self._request("GET", path, args, [("Range", range_header(_PROBE) or "")])

    def _request(self, method: str, path: str, args: OpRead | OpStat, ranged: list[Header]) -> HttpRequest:
        return HttpRequest(method, self.url(path), [*ranged, *conditional_headers(args), *self._credentials()])

    def url(self, path: str) -> str:
        """The URL of a path. In names, everything but unreserved characters is percent-encoded (RFC 3986, 2.3).

        Raises:
            InvalidInput: as `check_segments`.
        """
        check_segments(path)
        return self.origin + encode_key(build_rooted_abs_path(self.root, path))

    def _credentials(self) -> list[Header]:
        if self.token is not None:
            return [("Authorization", f"Bearer {self.token}")]
        if not self.username and not self.password:
            return []
        return [("Authorization", basic_credentials(self.username, self.password))]


def check_segments(path: str) -> None:
    """Refuses `.` and `..` as names.

    Servers and proxies resolve them (RFC 3986, 6.2.2.3), percent-encoded or not and some of them after a backslash too,
    so they would name another object, which may be outside of the root.

    Raises:
        InvalidInput: the path has such a name.
    """
    if "." in path and not {".", ".."}.isdisjoint(_SEPARATORS.split(path)):
        raise InvalidInput("'.' and '..' cannot be names on a web server: it resolves them")


def describe(path: str, headers: HttpHeaders, size: int | None) -> Metadata:
    """The metadata in a response, with a size that is more reliable than its Content-Length."""
    mode = EntryMode.DIR if is_dir_path(path) else EntryMode.FILE
    return parse_metadata(headers, mode=mode, content_length=None if mode is EntryMode.DIR else size)


def describe_probed(path: str, response: HttpResponse) -> Metadata:
    """The metadata in the response to the request for the first byte.

    A 416 states the size of the object. Its other headers describe the error page.
    """
    if response.status == 416:
        return describe(path, HttpHeaders(), refused_size(response))
    return describe(path, response.headers, stated_content(response).size)


def is_directory_redirect(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether the server redirected from a name to the same name with a slash, which means that it is a directory."""
    if response.url == request.url:  # it did not redirect
        return False
    requested, reached = urlsplit(request.url), urlsplit(response.url)
    if requested.path.endswith("/") or requested.netloc != reached.netloc:
        return False
    return reached.path == f"{requested.path}/"
