"""The http service."""

from collections.abc import Container
from dataclasses import replace
from functools import partial
from typing import Final

from entrepot.errors import IsADirectory, Unsupported
from entrepot.raw import Accessor, AccessorInfo, OpPresign, OpRead, OpStat, RpPresign, RpRead, RpStat, WholeRead
from entrepot.raw.conditions import is_conditional
from entrepot.raw.http.conditions import check_honoured
from entrepot.raw.http.errors import read_error_body, spare_credentials, status_error
from entrepot.raw.http.failures import BAD_REQUEST, ONLY_TLS, is_of_tls_port, with_hint_of_tls
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.reader import CONTENT_STATUSES, RANGE_STATUSES, HttpReader, stated_content
from entrepot.raw.http.redirects import send_following
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpResponse, HttpTransport, with_added
from entrepot.raw.http.whole import checked_content, plain_content, plain_length
from entrepot.types import Capability, EntryMode, Metadata, PresignedRequest, Scheme

from .core import HEAD_REFUSED, SUCCESS, Site, describe, describe_probed, is_directory_redirect

CAPABILITY = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
)

OPEN_CAPABILITY: Final = replace(CAPABILITY, presign=True, presign_read=True, presign_stat=True)
"""The same without credentials: then anyone who has a URL can use it."""


class HttpAccessor(Accessor):
    """Objects on a web server.

    Arguments:
        site: builds the requests.
        name: the host.
        transport: sends them.
    """

    def __init__(self, site: Site, name: str, transport: HttpTransport) -> None:
        capability = OPEN_CAPABILITY if site.is_open else CAPABILITY
        self.info = AccessorInfo(scheme=Scheme.HTTP, root=site.root, name=name, native_capability=capability)
        self._site = site
        self._transport = transport

    async def stat(self, path: str, args: OpStat) -> RpStat:
        metadata = await self._head(path, args)
        check_honoured(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        return self._opened(path, args, self._site.read_request(path, args))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        request = self._site.read_request(path, args)
        response = await self._fetch(request, args)
        length = plain_length(response, args.range)
        if length is None:
            return self._opened(path, args, request, response)
        try:
            if described is not None or is_conditional(args):
                metadata = self._described(path, args, response.headers, stated_content(response).size)
                if described is not None:
                    described.metadata = metadata
            content = response.body.take_rest()
            if content is None:
                return await plain_content(response.body, length, None)
            return checked_content(content, length, None)
        finally:
            await response.body.close()

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        match args.operation:
            case OpRead() as operation:
                request = self._site.read_request(path, operation)
            case OpStat() as operation:
                request = self._site.stat_request(path, operation)
            case _:
                raise Unsupported(f"the service http cannot presign a {args.name}")
        return RpPresign(request=PresignedRequest(request.method, request.url, dict(request.headers)))

    def _opened(
        self, path: str, args: OpRead, request: HttpRequest, received: HttpResponse | None = None
    ) -> tuple[RpRead, HttpReader]:
        """The body of a read, which sends the request unless its response is there already."""
        result = RpRead()
        send, described = partial(self._fetch, request, args), partial(self._described, path, args)
        return result, HttpReader(send, args.range, described, result, received=received)

    def _described(self, path: str, args: OpRead, headers: HttpHeaders, size: int | None) -> Metadata:
        metadata = describe(path, headers, size)
        check_honoured(metadata, args)
        return metadata

    async def _fetch(self, request: HttpRequest, args: OpRead) -> HttpResponse:
        """The response to a read. The name of a directory is refused."""
        response = await self._send(request, CONTENT_STATUSES if args.range.is_full else RANGE_STATUSES)
        if is_directory_redirect(request, response):
            await response.body.close()
            raise IsADirectory("the server redirects to a directory of this name")
        return response

    async def _head(self, path: str, args: OpStat) -> Metadata:
        request = self._site.stat_request(path, args)
        response = await self._send(request, SUCCESS | HEAD_REFUSED)
        await response.body.close()
        if response.status in HEAD_REFUSED:
            return await self._probe(path, args)
        if is_directory_redirect(request, response):
            return Metadata(mode=EntryMode.DIR)
        return describe(path, response.headers, parse_length(response.headers.get("content-length")))

    async def _probe(self, path: str, args: OpStat) -> Metadata:
        """Requests the first byte where HEAD is refused, and closes the response after its head."""
        request = self._site.probe_request(path, args)
        response = await self._send(request, RANGE_STATUSES)
        await response.body.close()
        if is_directory_redirect(request, response):
            return Metadata(mode=EntryMode.DIR)
        return describe_probed(path, response)

    async def _send(self, request: HttpRequest, expected: Container[int]) -> HttpResponse:
        """Sends a request. The content of an error is for people, and may be endless: at most its start is read."""
        prepared = with_added(request, self._site.headers)
        response = await send_following(self._transport, prepared, self._site.private_headers)
        if response.status in expected:
            return response
        if response.status == BAD_REQUEST and is_of_tls_port(BAD_REQUEST, await read_error_body(response)):
            raise ONLY_TLS.error()
        await response.body.close()
        error = status_error(response.status, response.headers)
        if self._site.is_open and not self._site.headers:  # any of which may be a key
            error = spare_credentials(error, request.method, response.status)
        raise with_hint_of_tls(error, request)
