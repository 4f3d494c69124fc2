"""Stores the content of a request as an object."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from entrepot import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    Metadata,
    NotADirectory,
    Operator,
    Timeout,
    Unsupported,
)

from .answers import Answer, refusal

METHODS: Final = ("POST", "PUT")

_STORED: Final = {
    "content-type": "content_type",
    "content-encoding": "content_encoding",
    "content-language": "content_language",
    "content-disposition": "content_disposition",
    "cache-control": "cache_control",
}
"""The headers that describe the content, and the options of a write that store them."""


class BodyTooLarge(InvalidInput):
    """The content of the request is larger than `max_size`."""

    kind = InvalidInput.kind


class BodyIncomplete(ContentIncomplete):
    """The client left before the content was complete."""

    kind = ContentIncomplete.kind
    temporary_by_default = False

    def __init__(self, message: str = "the client left before the content was complete", **facts: Any) -> None:
        super().__init__(message, **facts)


class BodyTooSlow(Timeout):
    """The client sends the content more slowly than it must."""

    kind = Timeout.kind
    temporary_by_default = False

    def __init__(self, message: str = "the client sends the content too slowly", **facts: Any) -> None:
        super().__init__(message, **facts)


@dataclass(frozen=True, slots=True)
class ObjectUpload:
    """A request that stores an object.

    Arguments:
        operator: the storage.
        path: the object.
        headers: the headers of the request by name in lower case.
        max_size: the largest content in bytes; None is any.
    """

    operator: Operator
    path: str
    headers: Mapping[str, str]
    max_size: int | None = None

    async def store(self, body: AsyncIterable[bytes]) -> Metadata:
        """Writes the content, and publishes the object when all of it has arrived.

        Arguments:
            body: the content. What it raises aborts the write.

        Raises:
            InvalidInput: the path is invalid, or the request has a Content-Range: parts of an object cannot be stored;
                or the content is not as long as its Content-Length.
            BodyTooLarge: the content is larger than `max_size`.
            ConditionNotMatch: If-Match or If-None-Match does not hold.
            Unsupported: the service lacks the condition of the request.
        """
        if "content-range" in self.headers:
            raise InvalidInput("parts of an object cannot be stored: the request has a Content-Range")
        length = self.headers.get("content-length", "")
        stated = int(length) if length.isdecimal() else None
        if stated is not None:
            self._check_size(stated)
        return await self.operator.write(self.path, self._checked(body, stated), **self._options())

    async def _checked(self, body: AsyncIterable[bytes], stated: int | None) -> AsyncGenerator[bytes, None]:
        """Yields the content, whose length a Transfer-Encoding says instead of the Content-Length."""
        size = 0
        async for chunk in body:
            size += len(chunk)
            self._check_size(size)
            yield chunk
        if stated not in {None, size} and "transfer-encoding" not in self.headers:
            raise InvalidInput(f"the content has {size} bytes, and its Content-Length states {stated}")

    def _check_size(self, size: int) -> None:
        if self.max_size is not None and size > self.max_size:
            raise BodyTooLarge(f"the content is larger than {self.max_size} bytes")

    def _options(self) -> dict[str, Any]:
        """The options of the write. Descriptions that the service cannot store are left out; conditions never are."""
        capability = self.operator.info.capability
        options: dict[str, Any] = {
            option: self.headers[name]
            for name, option in _STORED.items()
            if name in self.headers and getattr(capability, f"write_with_{option}")
        }
        if self.headers.get("if-none-match", "").strip() == "*":
            options["if_not_exists"] = True
        elif "if-none-match" in self.headers:
            options["if_none_match"] = self.headers["if-none-match"]
        if "if-match" in self.headers:
            options["if_match"] = self.headers["if-match"]
        return options


def stored(metadata: Metadata, *, is_new: bool) -> Answer:
    """The answer to a request whose object was stored."""
    etag = [] if metadata.etag is None or not metadata.etag.isascii() else [("ETag", metadata.etag)]
    return Answer(201 if is_new else 204, [*etag, *([("Content-Length", "0")] if is_new else [])])


def not_stored(error: Error) -> Answer:
    """The answer to a request whose object was not stored, if the reason is in the request.

    Raises:
        Error: the reason is not in the request.
    """
    if isinstance(error, BodyTooLarge):
        return refusal(413)
    if isinstance(error, BodyTooSlow):
        return refusal(408)
    if isinstance(error, ConditionNotMatch):
        return refusal(412)
    if isinstance(error, IsADirectory | NotADirectory):
        return refusal(409)
    if isinstance(error, Unsupported):
        return refusal(501)
    if isinstance(error, InvalidInput):
        return refusal(400)
    raise error
