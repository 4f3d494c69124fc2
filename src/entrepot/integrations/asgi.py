"""Objects as the answers and contents of requests, for every ASGI server and framework.

    async def app(scope, receive, send):
        await ObjectResponse(op, scope["path"])(scope, receive, send)

It needs no framework. `entrepot.integrations.starlette` has the same for Starlette and FastAPI, and
`entrepot.integrations.aiohttp` for `aiohttp.web`. Sources: ASGI 3.0 (HTTP 2.3 and 2.4), RFC 9110.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

import anyio

from entrepot import Error, Metadata, Operator

from .web.answers import Answer, Presentation, refusal
from .web.requests import ObjectRequest
from .web.serving import ObjectAnswer
from .web.storing import METHODS, BodyIncomplete, ObjectUpload, not_stored, stored

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

__all__ = ["ObjectResponse", "StoredObjectResponse", "store_request"]


class ObjectResponse:
    """Answers a GET or HEAD request with an object. It is an ASGI application, and a response of Starlette.

    It honours Range (one range), If-Range, If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since, and
    answers with 200, 206, 304, 404, 405, 412 or 416. A path that names no object, or that cannot be one, is answered
    with 404. A request for several ranges gets the whole object. Any other error of the storage is raised, so that the
    framework reports it. When the client leaves, the read is cancelled and its connection released.

    Requires `read`, and `stat` for HEAD and conditions.

    Arguments:
        operator: the storage.
        path: the object.
        filename: the name under which a browser saves the object. By default the stored Content-Disposition is sent.
        disposition: with `filename`, whether a browser saves the object (`"attachment"`) or shows it (`"inline"`).
        content_type: the media type, instead of the stored one. Without either it is `application/octet-stream`.
        headers: further headers, which replace those of the object.
        version: the version of the object. By default the current one. Requires `read_with_version`.

    Raises:
        InvalidInput: a value does not fit into a header.
    """

    def __init__(
        self,
        operator: Operator,
        path: str,
        *,
        filename: str | None = None,
        disposition: Literal["attachment", "inline"] = "attachment",
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        version: str | None = None,
    ) -> None:
        self._operator = operator
        self._path = path
        self._presentation = Presentation(filename, disposition, content_type, headers or {})
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = ObjectRequest.of(scope["method"], _header_lines(scope))
        answer = ObjectAnswer(self._operator, self._path, request, self._presentation, self._version)
        try:
            await _until_disconnect(receive, lambda: _send_object(answer, request, send))
        finally:
            await answer.aclose()


class StoredObjectResponse:
    """Stores the content of a PUT or POST request, and answers it. It is an ASGI application.

    It answers with 204, or 201 if the request has `If-None-Match: *`; with 400 if the request has a Content-Range, an
    invalid path or less content than its Content-Length states, 409 if the path names a directory or leads through a
    file, 412 if a condition does not hold, 413 if the content is too large, and 501 if the service lacks the condition.
    Any other error of the storage is raised. See `store_request`.

    Arguments:
        operator: the storage.
        path: the object.
        max_size: the largest content in bytes. By default any.
    """

    def __init__(self, operator: Operator, path: str, *, max_size: int | None = None) -> None:
        self._operator = operator
        self._path = path
        self._max_size = max_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:
            await _send_answer(refusal(405, ("Allow", ", ".join(METHODS))), send)
            return
        try:
            metadata = await store_request(self._operator, self._path, scope, receive, max_size=self._max_size)
        except BodyIncomplete:
            return  # there is no client to answer
        except Error as error:
            await _send_answer(not_stored(error), send)
            return
        await _send_answer(stored(metadata, is_new=_headers(scope).get("if-none-match") == "*"), send)


async def store_request(
    operator: Operator, path: str, scope: Scope, receive: Receive, *, max_size: int | None = None
) -> Metadata:
    """Stores the content of a request as an object, and returns its metadata. Requires `write`.

    The content is streamed. Content-Type, Content-Encoding, Content-Language, Content-Disposition and Cache-Control
    are stored with it where the service can. `If-None-Match: *` stores a new object only (`write_with_if_not_exists`),
    and If-Match replaces only the named content (`write_with_if_match`). If the content ends early, nothing is
    published.

    Arguments:
        operator: the storage.
        path: the object.
        scope: the ASGI scope of the request.
        receive: the ASGI function that receives the content.
        max_size: the largest content in bytes. By default any.

    Raises:
        InvalidInput: the path is invalid, the request has a Content-Range, or the content is larger than `max_size` or
            not as long as its Content-Length.
        ContentIncomplete: the client left before the content was complete.
        ConditionNotMatch: a condition of the request does not hold.
        Unsupported: the service lacks a condition of the request.
    """
    upload = ObjectUpload(operator, path, _headers(scope), max_size)
    async with aclosing(_content(receive)) as content:
        return await upload.store(content)


async def _send_object(answer: ObjectAnswer, request: ObjectRequest, send: Send) -> None:
    head = await answer.head()
    if head.range is None or request.method == "HEAD":
        await _send_answer(head, send, has_content=request.method != "HEAD")
        return
    await _send_head(head, send)
    async with aclosing(answer.content()) as content:
        async for chunk in content:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_answer(answer: Answer, send: Send, *, has_content: bool = True) -> None:
    await _send_head(answer, send)
    await send({"type": "http.response.body", "body": answer.text if has_content else b"", "more_body": False})


async def _send_head(answer: Answer, send: Send) -> None:
    lines = [(name.lower().encode(), _bytes_of(value)) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})


async def _until_disconnect(receive: Receive, respond: Callable[[], Awaitable[None]]) -> None:
    """Responds, until the client has left. An error is raised as it is, not in a group.

    Since HTTP 2.4 of ASGI, `send` may raise an `OSError` after the client has left, which ends the response as well.
    """
    failure: Exception | None = None

    async def run(call: Callable[[], Awaitable[None]]) -> None:
        nonlocal failure
        try:
            await call()
        except Exception as error:  # noqa: BLE001 - raised below
            failure = failure or error
        group.cancel_scope.cancel()

    async def disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass  # the content of a GET means nothing

    async with anyio.create_task_group() as group:
        group.start_soon(run, disconnect)
        await run(respond)
    if isinstance(failure, Error) or not isinstance(failure, OSError | None):
        raise failure


async def _content(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyIncomplete
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _header_lines(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


def _headers(scope: Scope) -> Mapping[str, str]:
    return ObjectRequest.of(scope["method"], _header_lines(scope)).headers


def _bytes_of(value: str) -> bytes:
    """A header value as bytes: Latin-1, in which etags are, else UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
