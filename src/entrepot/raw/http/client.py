"""Sends requests to an HTTP object store: signs them, bounds the size of responses and raises errors."""

from collections.abc import Container, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from entrepot.errors import Unexpected
from entrepot.raw.logging_in import logging_in
from entrepot.raw.runtime import Runtime
from entrepot.types import PresignedRequest

from .correction import Correction, Refusal, corrected
from .dialect import Dialect, ObjectArgs
from .errors import read_error_body, spare_credentials
from .failures import ONLY_TLS, is_of_tls_port, with_hint_of_tls
from .form import Form
from .reader import RANGE_STATUSES
from .signer import RequestSigner
from .transport import Header, HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpTransport, with_added

D = TypeVar("D", bound=Dialect)

RESPONSE_LIMIT: Final = 16 * 1024 * 1024
"""The most bytes of a response that are read into memory. A page of 1,000 keys of maximum length, with every character
escaped, has 4 MiB."""

_SUCCESS: Final = range(200, 300)
_PIECE: Final = 256 * 1024


class HttpClient(Generic[D]):
    """Sends requests to one object store.

    Arguments:
        dialect: reads errors out of responses.
        signer: adds credentials to each request when it is sent.
        http: sends. Redirects are not followed: a signature is valid for one host.
        runtime: the runtime of the service.
        corrections: what is corrected before a refused request is sent once more, in this order.
        headers: headers that every request has in addition, and that are signed with it. Presigned ones do not.
    """

    __slots__ = ("_corrections", "_headers", "_http", "_signer", "dialect", "runtime")

    def __init__(
        self,
        dialect: D,
        signer: RequestSigner,
        http: HttpTransport,
        runtime: Runtime,
        corrections: Sequence[Correction] = (),
        headers: Sequence[Header] = (),
    ) -> None:
        self.dialect = dialect
        self.runtime = runtime
        self._signer = signer
        self._http = http
        self._corrections = tuple(corrections)
        self._headers = tuple(headers)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are sent without credentials."""
        return self._signer.is_anonymous

    def hashes_content(self, url: str) -> bool:
        """Whether the signature of a request with an object's content to this URL needs the SHA-256 of the content."""
        return self._signer.hashes_content(url)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """Returns the request with its credentials, to be sent inside another one, as in a batch."""
        return self._signer.sign_now(request) or await self._signer.sign(request)

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Returns the request in a form that anyone who has it can send until it expires."""
        return await self._signer.presign(request, expires)

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        """Returns a form that anyone who has it can send until it expires."""
        return await self._signer.presign_form(request, form, expires)

    def open(self, request: HttpRequest, args: ObjectArgs) -> Coroutine[Any, Any, HttpResponse]:
        """Returns a response with the content of an object, or a 416, to be completed by `refused`.

        Arguments:
            request: the request.
            args: the arguments of the operation, which some errors depend on.

        Raises:
            Error: the response has any other status.
        """
        return self._send(request, RANGE_STATUSES, args)

    async def refused(self, response: HttpResponse) -> HttpResponse:
        """Reads a 416 and closes it. Returns it with the size of the object in its headers, if it states the size."""
        return with_size(response, self.dialect.refused_size(await read_error_body(response)))

    def respond(self, request: HttpRequest, expected: Container[int] = _SUCCESS) -> Coroutine[Any, Any, HttpResponse]:
        """Returns a response with one of the expected statuses, its content unread. The caller closes its body.

        Raises:
            Error: the response has any other status.
        """
        return self._send(request, expected, None)

    def call(
        self, request: HttpRequest, args: ObjectArgs | None = None
    ) -> Coroutine[Any, Any, tuple[HttpHeaders, bytes]]:
        """Returns the headers and the whole content of a successful response.

        Raises:
            Error: the response is not a success, or has more than `RESPONSE_LIMIT` bytes.
        """
        return self._received(request, args)

    async def do(self, request: HttpRequest, args: ObjectArgs | None = None) -> HttpHeaders:
        """Returns the headers of a successful response whose content says nothing.

        Raises:
            Error: the response is not a success, or its content is an error in spite of its status.
        """
        headers, content = await self._received(request, args)
        self.dialect.check_done(headers, content)
        return headers

    async def store(self, request: HttpRequest) -> HttpHeaders:
        """Sends a request whose content is an object or a part of one. Returns the headers of the response.

        Raises:
            Error: as `do`.
        """
        return (await self._received(request, None, is_content=True))[0]

    def store_described(self, request: HttpRequest) -> Coroutine[Any, Any, tuple[HttpHeaders, bytes]]:
        """Sends a request whose content is an object or a part of one. Returns the headers and content of the response.

        Raises:
            Error: as `do`.
        """
        return self._received(request, None, is_content=True)

    async def exchange(
        self, request: HttpRequest, statuses: Container[int], *, is_content: bool = False
    ) -> tuple[int, HttpHeaders, bytes]:
        """Returns the status, the headers and the whole content of a response with one of these statuses.

        Arguments:
            request: the request.
            statuses: the expected statuses, where others than success mean something.
            is_content: whether the content of the request is an object or a part of one.

        Raises:
            Error: the response has any other status, or more than `RESPONSE_LIMIT` bytes.
        """
        response = await self._send(request, statuses, None, is_content=is_content)
        return response.status, response.headers, await _content_of(response.body)

    async def _received(
        self, request: HttpRequest, args: ObjectArgs | None, *, is_content: bool = False
    ) -> tuple[HttpHeaders, bytes]:
        """The headers and the whole content of a successful response.

        With `is_content`, the request has the content of an object, and the response must not be an error in spite of
        its status.
        """
        response = await self._send(request, _SUCCESS, args, is_content=is_content)
        content = await _content_of(response.body)
        if is_content:
            self.dialect.check_done(response.headers, content)
        return response.headers, content

    async def _send(
        self, request: HttpRequest, expected: Container[int], args: ObjectArgs | None, *, is_content: bool = False
    ) -> HttpResponse:
        if self._headers:
            request = with_added(request, self._headers)
        signer, left = self._signer, self._corrections
        while True:
            sent = signer.sign_now(request, is_content=is_content)
            if sent is None:
                with logging_in():
                    sent = await (signer.sign_content if is_content else signer.sign)(request)
            response = await self._http.send(sent)
            if response.status in expected:
                return response
            content = await read_error_body(response)
            refusal = Refusal(request, sent, response.status, response.headers, content)
            again = await corrected(refusal, left)
            if again is None:
                if is_of_tls_port(response.status, content):
                    raise ONLY_TLS.error()
                error = self.dialect.error(response.status, response.headers, content, args)
                if self._signer.is_anonymous and not self._headers:
                    error = spare_credentials(error, sent.method, response.status)
                raise signer.explain(with_hint_of_tls(error, sent), sent)
            request, used = again
            left = tuple(correction for correction in left if correction is not used)


def with_size(response: HttpResponse, size: int | None) -> HttpResponse:
    """Returns a 416 whose headers state the size of the object, if it is known."""
    if "content-range" in response.headers or size is None:
        return response
    headers = HttpHeaders([*response.headers.items(), ("content-range", f"bytes */{size}")])
    return HttpResponse(response.status, headers, response.body, response.url)


async def _content_of(body: HttpBody) -> bytes:
    """The whole content of a response, whose body is closed."""
    try:
        content = body.take_rest()
        if content is None:
            return await _read(body)
        if len(content) > RESPONSE_LIMIT:
            raise _too_long()
        return content
    finally:
        await body.close()


async def _read(body: HttpBody) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while not body.is_at_end and (piece := await body.read(_PIECE)):
        pieces.append(piece)
        size += len(piece)
        if size > RESPONSE_LIMIT:
            raise _too_long()
    return b"".join(pieces)


def _too_long() -> Unexpected:
    return Unexpected(f"the response of the storage has more than {RESPONSE_LIMIT} bytes")
