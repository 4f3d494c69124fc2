"""Answers requests: the objects of an operator, its directories as pages or records, uploads and deletions."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import HttpVersion11, web

from entrepot import Error, IsADirectory, Metadata, NotADirectory, NotFound, Operator
from entrepot.cli.output import plain_value
from entrepot.integrations.aiohttp import object_response, store_request
from entrepot.integrations.web.answers import Presentation, content_disposition
from entrepot.integrations.web.storing import BodyIncomplete, BodyTooLarge, BodyTooSlow

from . import pages
from .access import READING, Access
from .listing import all_entries, load_page, parse_page_request
from .media import is_passive, media_type, shown_as
from .paths import path_of, raw_path, url_of
from .records import file_record, listing_record
from .refusals import Refused, status_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TEXT_SHOWN: Final = 128 * 1024
"""Bytes of a text that its preview shows."""

_EVERYWHERE: Final = {
    "Server": "entrepot",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src {script}; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_OBJECT_POLICY: Final = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; sandbox"
)
"""For objects that a browser shows: even where it takes one for a page, it runs nothing and belongs to no site."""

_TRUSTED_POLICY: Final = "frame-ancestors 'none'"

_OBJECT: Final = web.RequestKey("_OBJECT", str)
_RESPONSE: Final = web.RequestKey("_RESPONSE", web.StreamResponse)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a site.

    Arguments:
        title: the name of the storage, as the pages show it.
        access: which requests are allowed.
        max_upload: the largest upload in bytes.
        min_upload_rate: the lowest rate of an upload in bytes per second; None is any.
        is_content_trusted: whether a browser may show objects of types that can run scripts.
    """

    title: str
    access: Access
    max_upload: int
    min_upload_rate: int | None = None
    is_content_trusted: bool = False


class Site:
    """Answers the requests for one operator.

    Arguments:
        operator: the storage. Its root is the root of the site.
        rules: the rules.
        report: is called with the path and the error when a request fails that was not refused.
        assets: the files of the pages by their URLs: the media type and the content.
    """

    def __init__(
        self,
        operator: Operator,
        rules: Rules,
        report: Callable[[str, Exception], None],
        assets: Mapping[str, tuple[str, bytes]],
    ) -> None:
        self._operator = operator
        self._rules = rules
        self._report = report
        self._assets = assets

    def application(self) -> web.Application:
        """The application of aiohttp."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        application = web.Application(middlewares=[guarded])
        application.router.add_route("*", "/{path:.*}", self._answer, expect_handler=self._expected)
        application.on_response_prepare.append(self._harden)
        return application

    async def _expected(self, request: web.Request) -> web.StreamResponse | None:
        """Answers a request that waits with its content (Expect: 100-continue): a refusal, or that it shall send it."""
        try:
            self._rules.access.check(request.method, request.headers)
            if request.method == "PUT" and (request.content_length or 0) > self._rules.max_upload:
                raise self._too_large()
        except Refused as refused:
            response = _text(refused)
            response.force_close()  # whether the client sends the content nevertheless is unknown
            return response
        if request.headers["Expect"].lower() != "100-continue":
            raise web.HTTPExpectationFailed
        if request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # of the response that follows
        return None

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Checks a request, and turns what goes wrong into a response."""
        try:
            self._rules.access.check(request.method, request.headers)
        except Refused as refused:  # without the name of the storage, which not every client may learn
            return _text(refused)
        try:
            return await handler(request)
        except ConnectionError:  # the client has left
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the program ends one request, not the server
            return self._failed(request, error)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        target = raw_path(request.raw_path)
        if target in self._assets:
            return self._asset(request, *self._assets[target])
        path = path_of(target)
        if request.method == "PUT":
            return await self._store(request, path)
        if request.method == "DELETE":
            return await self._delete(path)
        if path.endswith("/"):
            return await self._directory(request, path)
        return await (self._preview(request, path) if "view" in request.query else self._object(request, path))

    def _asset(self, request: web.Request, kind: str, content: bytes) -> web.Response:
        if request.method not in READING:
            raise Refused(405, headers={"Allow": ", ".join(READING)})
        return web.Response(body=content, headers={"Content-Type": kind, "Cache-Control": "no-cache"})

    async def _directory(self, request: web.Request, path: str) -> web.StreamResponse:
        if not self._operator.info.capability.list:
            raise Refused(501, "This storage has no listings: only the URLs of objects lead to something.")
        wants_record = _wants_record(request)
        if not (wants_record or request.query_string or _wants_page(request)):
            return await self._index(request, path)
        page = await load_page(self._operator, path, parse_page_request(request.query))
        if wants_record:
            return _record(listing_record(page))
        return self._page(lambda site: pages.directory_page(site, page))

    async def _index(self, request: web.Request, path: str) -> web.StreamResponse:
        """Sends the links of a whole directory. Programs that read pages, such as `rclone`, do not follow pagers."""
        headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Vary": "Accept"}
        response = web.StreamResponse(headers=headers)
        async with aclosing(all_entries(self._operator, path)) as batches:
            first = await anext(batches)  # before anything is sent, since the directory may not exist
            await response.prepare(request)
            if request.method == "HEAD":  # whose answer does not need the rest of the listing
                return response
            await response.write((pages.INDEX_START + pages.index_rows(path, first)).encode())
            async for batch in batches:
                await response.write(pages.index_rows(path, batch).encode())
        await response.write_eof(pages.INDEX_END.encode())
        return response

    async def _object(self, request: web.Request, path: str) -> web.StreamResponse:
        request[_OBJECT] = path
        response = await object_response(request, self._operator, path)
        if response.status != 404:
            return response
        del request[_OBJECT]
        await self._redirect_to_directory(path)
        raise Refused(404)

    async def _preview(self, request: web.Request, path: str) -> web.StreamResponse:
        try:
            metadata = await self._operator.stat(path)
        except (NotFound, NotADirectory):
            await self._redirect_to_directory(path)
            raise
        if metadata.is_dir:
            raise Refused(308, headers={"Location": url_of(f"{path}/")})
        if _wants_record(request):
            return _record(file_record(path, metadata))
        text, is_cut = await self._start_of_text(path, metadata)
        return self._page(lambda site: pages.preview_page(site, path, metadata, text, is_cut=is_cut))

    async def _redirect_to_directory(self, path: str) -> None:
        """Redirects to the directory of that name, if there is one."""
        try:
            await self._operator.stat(f"{path}/")
        except (NotFound, NotADirectory):
            return
        raise Refused(308, headers={"Location": url_of(f"{path}/")})

    async def _start_of_text(self, path: str, metadata: Metadata) -> tuple[str | None, bool]:
        """The start of an object as text, and whether there is more; None if it is not text in UTF-8."""
        if shown_as(media_type(path, metadata.content_type)) != "text" or metadata.content_encoding:
            return None, False
        content = await self._operator.read(path, range=(0, _TEXT_SHOWN)) if metadata.content_length else b""
        return _text_of(content), len(content) < (metadata.content_length or 0)

    async def _store(self, request: web.Request, path: str) -> web.StreamResponse:
        if path.endswith("/"):
            raise Refused(409, "An object is stored below a name that does not end with a slash.")
        rules = self._rules
        metadata = await store_request(
            request, self._operator, path, max_size=rules.max_upload, min_rate=rules.min_upload_rate
        )
        return _record(file_record(path, metadata), status=201)

    async def _delete(self, path: str) -> web.Response:
        if path == "/":
            raise Refused(409, "The top directory cannot be deleted.")
        try:
            await self._operator.delete(path)
        except IsADirectory:
            raise Refused(409, "The directory is not empty.") from None
        return web.Response(status=204)

    def _page(self, make: Callable[[pages.Site], str], status: int = 200) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        capability = self._operator.info.capability
        is_writable = self._rules.access.is_writable
        site = pages.Site(
            self._rules.title,
            nonce,
            is_writable=is_writable,
            is_exclusive=capability.write_with_if_not_exists,
            can_delete=is_writable and capability.delete,
        )
        policy = _PAGE_POLICY.format(script=f"'nonce-{nonce}'")
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Vary": "Accept"}
        return web.Response(status=status, text=make(site), content_type="text/html", headers=headers)

    def _refusal(self, request: web.Request, refused: Refused) -> web.Response:
        phrase = HTTPStatus(refused.status).phrase
        if _wants_record(request):
            response: web.Response = _record({"status": refused.status, "error": refused.message}, refused.status)
        elif _wants_page(request):
            response = self._page(
                lambda site: pages.refusal_page(site, refused.status, phrase, refused.message), refused.status
            )
        else:
            response = _text(refused)
        response.headers.update(refused.headers)
        return response

    def _failed(self, request: web.Request, error: Exception) -> web.StreamResponse:
        """The response to a request that failed. One that has begun is cut, so that the client knows."""
        refused = self._refused(error)
        begun: web.StreamResponse | None = request.get(_RESPONSE)
        if refused is not error and (begun is not None or refused.status >= 500):
            self._report(request.path, error)
        if begun is None:
            return self._refusal(request, refused)
        if request.transport is not None:
            request.transport.abort()
        return begun

    def _refused(self, error: Exception) -> Refused:
        """The status and message for an error. Messages of the storage are for the person who runs the server."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, BodyTooLarge):
            return self._too_large()
        if isinstance(error, BodyIncomplete):
            return Refused(400, "The content is incomplete.")
        if isinstance(error, BodyTooSlow):
            return Refused(408, "The content is sent too slowly.")
        if isinstance(error, web.HTTPException):  # of aiohttp, such as 404 for a target that is no path
            return Refused(error.status)
        return Refused(status_of(error) if isinstance(error, Error) else 500)

    def _too_large(self) -> Refused:
        return Refused(413, f"An upload has at most {self._rules.max_upload:,} bytes.")

    async def _harden(self, request: web.Request, response: web.StreamResponse) -> None:
        """Sets the headers that keep content of others harmless, on each response before it is sent."""
        request[_RESPONSE] = response
        headers = response.headers
        headers.update(_EVERYWHERE)
        if _OBJECT in request and "Content-Type" in headers:
            self._describe_object(request[_OBJECT], headers)
        headers.setdefault("Content-Security-Policy", _PAGE_POLICY.format(script="'none'"))

    def _describe_object(self, path: str, headers: Any) -> None:
        kind = headers["Content-Type"] = media_type(path, headers["Content-Type"])
        headers.setdefault("Cache-Control", "private, no-cache")
        headers["Content-Security-Policy"] = _OBJECT_POLICY
        if self._rules.is_content_trusted:
            headers["Content-Security-Policy"] = _TRUSTED_POLICY
        elif not is_passive(kind):
            headers["Content-Disposition"] = content_disposition(Presentation(path.rpartition("/")[2]))


def _wants_record(request: web.Request) -> bool:
    """Whether a program asks for JSON. A browser names HTML as well."""
    qualities = dict(map(_quality, request.headers.get("Accept", "").lower().split(",")))
    return qualities.get("application/json", 0.0) > qualities.get("text/html", 0.0)


def _wants_page(request: web.Request) -> bool:
    """Whether a browser asks, which names HTML. Other programs accept anything."""
    return "text/html" in request.headers.get("Accept", "").lower()


def _quality(accepted: str) -> tuple[str, float]:
    """A media type of the header Accept, and how much it is wanted: from 0 to 1."""
    kind, *parameters = (part.strip() for part in accepted.split(";"))
    stated = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    try:
        return kind, float(stated)
    except ValueError:
        return kind, 0.0


def _text(refused: Refused) -> web.Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept", **refused.headers}
    return web.Response(status=refused.status, text=f"{refused.message}\n", headers=headers)


def _record(record: Mapping[str, Any], status: int = 200) -> web.Response:
    text = json.dumps(record, default=plain_value)
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def _text_of(content: bytes) -> str | None:
    """The text of the start of an object. A character that was cut at its end is left out."""
    if b"\0" in content:
        return None
    for cut in range(min(4, len(content)) or 1):
        try:
            return content[: len(content) - cut].decode()
        except UnicodeDecodeError:
            continue
    return None
