"""The s3 service."""

from collections.abc import Callable
from datetime import UTC, datetime

from entrepot.raw import Accessor, AccessorInfo, OpRead, OpStat, RpRead, RpStat, build_abs_path, is_dir_path
from entrepot.raw.http.errors import read_error_body
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpResponse, HttpTransport
from entrepot.types import Capability, EntryMode, Metadata, Scheme

from .core import S3Core, actual_size
from .signing import Signer

CAPABILITY = Capability(
    stat=True,
    stat_with_version=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_version=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
)


def utc_now() -> datetime:
    """The time that requests are signed with."""
    return datetime.now(UTC)


class S3Accessor(Accessor):
    """Objects in one bucket. Every request is signed when it is sent, so that one sent again is signed anew.

    Arguments:
        core: builds the requests to the bucket and reads the replies.
        signer: signs them; None sends them unsigned.
        root: the prefix of every key, normalized.
        http: sends them. Redirects are not followed: a signature holds for one host.
        now: tells the time.
    """

    def __init__(
        self,
        core: S3Core,
        signer: Signer | None,
        root: str,
        http: HttpTransport,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.info = AccessorInfo(scheme=Scheme.S3, root=root, name=core.bucket, native_capability=CAPABILITY)
        self._core = core
        self._signer = signer
        self._http = http
        self._now = now

    async def stat(self, path: str, args: OpStat) -> RpStat:
        response = await self._send(self._core.head(build_abs_path(self.info.root, path), args))
        await response.body.close()
        mode = EntryMode.DIR if is_dir_path(path) else EntryMode.FILE
        return RpStat(metadata=self._core.describe_asked(response.headers, args, mode=mode))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        reply = RpRead()
        request = self._core.get(build_abs_path(self.info.root, path), args)

        async def send() -> HttpResponse:
            return await self._send(request)

        def describe(headers: HttpHeaders, size: int | None) -> Metadata:
            return self._core.describe_asked(headers, args, content_length=size)

        return reply, HttpReader(send, args.range, describe, reply)

    async def _send(self, request: HttpRequest) -> HttpResponse:
        """A reply with content, or a 416, which the reader knows how to take.

        Raises:
            Error: what any other reply means.
        """
        signer = self._signer
        response = await self._http.send(request if signer is None else signer.sign(request, self._now()))
        if response.status in (200, 206):
            return response
        content = await read_error_body(response)
        if response.status == 416:
            return _with_size(response, content)
        raise self._core.error(response.status, response.headers, content)


def _with_size(response: HttpResponse, content: bytes) -> HttpResponse:
    """A 416 whose headers tell the size of the object, if anything in it does."""
    size = actual_size(content)
    if "content-range" in response.headers or size is None:
        return response
    headers = HttpHeaders([*response.headers.items(), ("content-range", f"bytes */{size}")])
    return HttpResponse(response.status, headers, response.body, response.url)
