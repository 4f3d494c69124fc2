"""Opens an object for the answer to a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    InvalidInput,
    IsADirectory,
    Metadata,
    NotADirectory,
    NotFound,
    Operator,
    RangeNotSatisfied,
    Reader,
)

from .answers import METHODS, Answer, Presentation, answer_to, refusal
from .requests import ObjectRequest

_ATTEMPTS: Final = 5
"""Times that an object is opened again because it changed between its metadata and its content."""


@dataclass(slots=True)
class ObjectAnswer:
    """The answer to one request, in three calls: `head`, then `content` if the head says so, then `aclose`.

    A request without conditions takes one request to the storage: the metadata of the response to the read decides. One
    with conditions takes the metadata first, so that no content is requested in vain.

    Arguments:
        operator: the storage.
        path: the object.
        request: the request.
        presentation: how the object is presented.
        version: the version of the object; None is the current one.
    """

    operator: Operator
    path: str
    request: ObjectRequest
    presentation: Presentation
    version: str | None = None
    _reader: Reader | None = field(default=None, init=False)
    _first: bytes | None = field(default=None, init=False)

    async def head(self) -> Answer:
        """Decides the answer, and opens the content if it has any.

        A path that names no object is answered with 404. Other errors of the storage are raised.
        """
        if self.request.method not in METHODS:
            return refusal(405, ("Allow", ", ".join(METHODS)))
        try:
            return await self._found()
        except (NotFound, IsADirectory, NotADirectory, InvalidInput):
            return refusal(404)

    async def content(self) -> AsyncGenerator[bytes, None]:
        """Yields the content, in the sizes in which the storage sends it."""
        assert self._reader is not None
        chunk = self._first
        while chunk is not None:
            yield chunk
            chunk = await self._reader.next()

    async def aclose(self) -> None:
        """Closes the object and releases its connection or file."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.aclose()

    async def _found(self) -> Answer:
        wanted = self.request.requested_range() or BytesRange()
        if self.request.method == "HEAD" or self.request.has_conditions or wanted.is_empty:
            answer = self._answer(await self._stat())
            if self.request.method == "HEAD" or answer.range is None:
                return answer
            wanted = answer.range_to_open
        for _ in range(_ATTEMPTS):
            metadata = await self._opened(wanted)
            answer = self._answer(metadata)
            if answer.range is None or self._is_open(answer.range, wanted, metadata):
                return answer
            wanted = answer.range_to_open
        raise ConditionNotMatch("the object changed each time it was opened", is_temporary=True)

    def _is_open(self, answered: BytesRange, opened: BytesRange, metadata: Metadata) -> bool:
        """Whether the reader yields just the bytes of the answer."""
        size = metadata.content_length
        if size is None or self._reader is None:
            return self._reader is not None and opened.is_full
        return opened.resolve(size) == answered.resolve(size)

    async def _opened(self, wanted: BytesRange) -> Metadata:
        """Opens a range and returns the metadata of its response; closed again if the object is smaller."""
        await self.aclose()
        self._reader = await self.operator.reader(self.path, range=wanted, **self._options())
        try:
            self._first = await self._reader.next()
            return await self._reader.metadata()
        except RangeNotSatisfied:
            await self.aclose()
            return await self._stat()

    async def _stat(self) -> Metadata:
        metadata = await self.operator.stat(self.path, **self._options())
        if not metadata.is_file:
            raise IsADirectory("the path names a directory")
        return metadata

    def _options(self) -> dict[str, Any]:
        return {} if self.version is None else {"version": self.version}

    def _answer(self, metadata: Metadata) -> Answer:
        return answer_to(self.request, metadata, self.presentation)
