"""Objects as responses of `aiohttp.web`, and contents of its requests as objects.

async def download(request: web.Request) -> web.StreamResponse:
    return await object_response(request, op, request.match_info["path"])
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final, Literal

from aiohttp import ClientPayloadError, web

from entrepot import Error, InvalidInput, Metadata, Operator
from entrepot.types.shown import shown

from .web.answers import Answer, Presentation, refusal
from .web.requests import ObjectRequest
from .web.serving import ObjectAnswer
from .web.storing import METHODS, BodyIncomplete, BodyTooSlow, ObjectUpload, not_stored, stored

__all__ = ["object_response", "store_request", "stored_object_response"]

_PATIENCE: Final = 30.0
"""Seconds that a client may be late by its lowest rate: a connection may pause for a while."""


async def object_response(
    request: web.Request,
    operator: Operator,
    path: str,
    *,
    filename: str | None = None,
    disposition: Literal["attachment", "inline"] = "attachment",
    content_type: str | None = None,
    headers: Mapping[str, str] | None = None,
    version: str | None = None,
) -> web.StreamResponse:
    """Answers a GET or HEAD request with an object; see `entrepot.integrations.asgi.ObjectResponse`.

    The response is sent when this returns. When the client leaves, the next piece that is sent fails, and the object is
    closed; with `handler_cancellation=True` of aiohttp's runner a read that waits for the storage ends as well.

    Arguments:
        request: the request.
        operator: the storage.
        path: the object.
        filename: the name under which a browser saves the object. By default the stored Content-Disposition is sent.
        disposition: with `filename`, whether a browser saves the object (`"attachment"`) or shows it (`"inline"`).
        content_type: the media type, instead of the stored one. Without either it is `application/octet-stream`.
        headers: further headers, which replace those of the object.
        version: the version of the object. By default the current one. Requires `read_with_version`.

    Raises:
        InvalidInput: a value does not fit into a header.
        ConnectionError: the client has left.
    """
    presentation = Presentation(filename, disposition, content_type, headers or {})
    asked = ObjectRequest.of(request.method, request.headers.items())
    answer = ObjectAnswer(operator, path, asked, presentation, version)
    try:
        head = await answer.head()
        if head.range is None:
            return _without_object(head)
        response = web.StreamResponse(status=head.status, headers=head.headers)
        await response.prepare(request)
        if asked.method != "HEAD":
            async with aclosing(answer.content()) as content:
                async for chunk in content:
                    await response.write(chunk)
        await response.write_eof()
        return response
    finally:
        await answer.aclose()


async def stored_object_response(
    request: web.Request, operator: Operator, path: str, *, max_size: int | None = None, min_rate: int | None = None
) -> web.Response:
    """Stores the content of a PUT or POST request, and answers it.

    See `entrepot.integrations.asgi.StoredObjectResponse`. A client that is slower than `min_rate` is answered with 408.

    Arguments:
        request: the request, whose content was not read yet.
        operator: the storage.
        path: the object.
        max_size: the largest content in bytes. By default any.
        min_rate: the lowest rate at which the client may send, in bytes per second; see `store_request`.

    Raises:
        InvalidInput: `min_rate` is not positive.
        Error: the storage failed for a reason that is not in the request.
    """
    if request.method not in METHODS:
        return _without_object(refusal(405, ("Allow", ", ".join(METHODS))))
    _check_rate(min_rate)
    try:
        metadata = await store_request(request, operator, path, max_size=max_size, min_rate=min_rate)
    except BodyIncomplete:
        return _without_object(refusal(400))  # nobody receives it, and the framework logs no error
    except Error as error:
        return _without_object(not_stored(error))
    return _without_object(stored(metadata, is_new=request.headers.get("If-None-Match") == "*"))


async def store_request(
    request: web.Request, operator: Operator, path: str, *, max_size: int | None = None, min_rate: int | None = None
) -> Metadata:
    """Stores the content of a request as an object; see `entrepot.integrations.asgi.store_request`.

    The content is streamed, so that the `client_max_size` of the application does not apply: `max_size` does. aiohttp
    decodes a content with Content-Encoding, which is then stored decoded and without that header.

    Arguments:
        request: the request, whose content was not read yet.
        operator: the storage.
        path: the object.
        max_size: the largest content in bytes. By default any.
        min_rate: the lowest rate at which the client may send, in bytes per second. One that is 30 seconds late by it
            is given up; time that the storage takes does not count. By default any.

    Raises:
        Timeout: the client sends more slowly than `min_rate`. Any other error is as with ASGI.
        InvalidInput: as with ASGI, or `min_rate` is not positive.
    """
    _check_rate(min_rate)
    headers = dict(ObjectRequest.of(request.method, request.headers.items()).headers)
    async with aclosing(_content(request, min_rate)) as content:
        first = await anext(content, b"") if "content-encoding" in headers else b""
        compressed = getattr(request.content, "total_compressed_bytes", None)  # a request without content has none
        if compressed is not None:  # aiohttp has decoded it, as it does by default
            del headers["content-encoding"]
            headers.pop("content-length", None)
        return await ObjectUpload(operator, path, headers, max_size).store(_following(first, content))


def _check_rate(min_rate: int | None) -> None:
    if min_rate is not None and min_rate <= 0:
        raise InvalidInput(f"min_rate is a positive number of bytes per second, not {shown(min_rate)}")


async def _content(request: web.Request, min_rate: int | None) -> AsyncGenerator[bytes, None]:
    chunks = aiter(request.content.iter_any())
    try:
        async for chunk in chunks if min_rate is None else _at_rate(chunks, min_rate):
            yield chunk
    except (ConnectionError, ClientPayloadError, web.RequestPayloadError) as error:
        raise BodyIncomplete from error


async def _at_rate(chunks: AsyncIterator[bytes], min_rate: int) -> AsyncGenerator[bytes, None]:
    """The same chunks, as long as the waits for them are not longer than their bytes may take.

    Raises:
        BodyTooSlow: they are, by more than `_PATIENCE`.
    """
    time, left = asyncio.get_running_loop().time, _PATIENCE
    while True:
        start = time()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(chunks, b"")
        except TimeoutError:
            raise BodyTooSlow from None
        if not chunk:
            return
        left = min(left - (time() - start) + len(chunk) / min_rate, _PATIENCE)
        yield chunk


async def _following(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk


def _without_object(head: Answer) -> web.Response:
    return web.Response(status=head.status, headers=head.headers, body=head.text)
