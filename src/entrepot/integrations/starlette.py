"""Objects as responses of Starlette and FastAPI.

    @app.get("/files/{path:path}")
    async def download(path: str):
        return ObjectResponse(op, path)

Needs the extra `starlette`, or FastAPI, which brings it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from entrepot import Metadata, Operator

from . import asgi
from .extras import not_installed

try:
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send
except ImportError as error:
    raise not_installed("starlette", error) from error

__all__ = ["ObjectResponse", "StoredObjectResponse", "store_request"]


class _ApplicationResponse(Response):
    """A response that an ASGI application sends.

    Arguments:
        application: sends it. Headers and cookies that are set on the response later are added.
        background: a task to run afterwards.
    """

    def __init__(
        self, application: asgi.ObjectResponse | asgi.StoredObjectResponse, background: BackgroundTask | None
    ) -> None:
        super().__init__(background=background)
        self.raw_headers.clear()  # an empty content's length; what is added from here on is sent with the application's
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_added_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.raw_headers]}
            await send(message)

        await self._application(scope, receive, send_with_added_headers)
        if self.background is not None:
            await self.background()


class ObjectResponse(_ApplicationResponse):
    """Answers a GET or HEAD request with an object; see `entrepot.integrations.asgi.ObjectResponse`.

    Arguments:
        operator: the storage.
        path: the object.
        filename: the name under which a browser saves the object. By default the stored Content-Disposition is sent.
        disposition: with `filename`, whether a browser saves the object (`"attachment"`) or shows it (`"inline"`).
        content_type: the media type, instead of the stored one. Without either it is `application/octet-stream`.
        headers: further headers, which replace those of the object. Headers and cookies that are set on the response
            later are added.
        version: the version of the object. By default the current one. Requires `read_with_version`.
        background: a task to run after the response was sent.

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
        background: BackgroundTask | None = None,
    ) -> None:
        application = asgi.ObjectResponse(
            operator,
            path,
            filename=filename,
            disposition=disposition,
            content_type=content_type,
            headers=headers,
            version=version,
        )
        super().__init__(application, background)


class StoredObjectResponse(_ApplicationResponse):
    """Stores the content of a PUT or POST request, and answers it.

    See `entrepot.integrations.asgi.StoredObjectResponse`.

    Arguments:
        operator: the storage.
        path: the object.
        max_size: the largest content in bytes. By default any.
        background: a task to run after the response was sent, also if nothing was stored.
    """

    def __init__(
        self, operator: Operator, path: str, *, max_size: int | None = None, background: BackgroundTask | None = None
    ) -> None:
        super().__init__(asgi.StoredObjectResponse(operator, path, max_size=max_size), background)


async def store_request(operator: Operator, path: str, request: Request, *, max_size: int | None = None) -> Metadata:
    """Stores the content of a request as an object; see `entrepot.integrations.asgi.store_request`.

    Arguments:
        operator: the storage.
        path: the object.
        request: the request, whose content was not read yet.
        max_size: the largest content in bytes. By default any.

    Raises:
        Error: as with ASGI. The framework answers it with 500, unlike `StoredObjectResponse`.
    """
    return await asgi.store_request(operator, path, request.scope, request.receive, max_size=max_size)
