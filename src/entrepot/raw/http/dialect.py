"""What differs between HTTP object stores: how requests are built and how responses are read.

A dialect is pure. It sends nothing, so a test of it compares requests and parses bytes. `HttpStore` does the rest.
"""

from typing import Any, Protocol

from entrepot.errors import Error, Unsupported
from entrepot.raw.oio import Page
from entrepot.raw.ops import DEFAULT_READ, DEFAULT_STAT, OpDelete, OpList, OpRead, OpStat, OpWrite
from entrepot.types import Metadata

from .conditions import check_honoured
from .errors import status_error
from .headers import header_etag, parse_metadata
from .transport import HttpHeaders, HttpRequest

ObjectArgs = OpRead | OpStat | OpWrite | OpDelete
"""The arguments of an operation on one object."""


class ContentCheck(Protocol):
    """Compares the content of an object with its checksum while it is read."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Takes the next content."""

    def finish(self) -> None:
        """Compares, after all content was taken. It may be called again.

        Raises:
            ChecksumMismatch: the content has another checksum.
        """


class ListRequests(Protocol):
    """One listing: builds the request for each page and reads its response."""

    def request(self, token: str | None) -> HttpRequest:
        """The request for the page of a token; None is the first page."""
        ...

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        """The entries of a page, and the token of the next one.

        Raises:
            Error: the content is an error, or is malformed.
        """
        ...


class Dialect:
    """Builds the requests of one object store and reads its responses.

    A subclass overrides what the store has, and its service declares the same in its capability. Keys are absolute:
    the root is their prefix, and they do not begin with a slash.
    """

    __slots__ = ()

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """The request for a range of an object. The range is not empty."""
        raise Unsupported("the service has no read")

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """The request for the metadata of an object."""
        raise Unsupported("the service has no stat")

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """The request that stores an object as a whole.

        Raises:
            InvalidInput: the key or the metadata cannot be sent.
        """
        raise Unsupported("the service has no write")

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        """The request that deletes an object."""
        raise Unsupported("the service has no delete")

    def listing(self, root: str, path: str, args: OpList) -> ListRequests:
        """The requests of one listing.

        Arguments:
            root: the prefix of every key, normalized.
            path: the directory or prefix to list.
            args: the options.
        """
        raise Unsupported("the service has no list")

    def request(self, key: str, args: ObjectArgs) -> HttpRequest:
        """The request of an operation on one object; the request of a write is without its content."""
        match args:
            case OpRead():
                return self.get(key, args)
            case OpStat():
                return self.head(key, args)
            case OpWrite():
                return self.put(key, b"", args)
            case OpDelete():
                return self.delete(key, args)

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        """The metadata in the headers of a response; `overrides` are fields that the caller knows better."""
        return parse_metadata(headers, **overrides)

    def describe_requested(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        """The metadata in the response to a read or stat, which must be of the requested object.

        A read without a version and conditions may be answered without it: then nothing else can be checked here.

        Raises:
            ConditionNotMatch: the response is of another version, or a condition does not hold.
        """
        metadata = self.describe(headers, **overrides)
        if args is not DEFAULT_READ and args is not DEFAULT_STAT:
            check_honoured(metadata, args)
        return metadata

    def describe_found(self, headers: HttpHeaders, content: bytes, args: OpStat, **overrides: Any) -> Metadata:
        """The metadata in the response to a stat. A store that states it in the content overrides this.

        Raises:
            ConditionNotMatch: as `describe_requested`.
            Unexpected: the content cannot be understood.
        """
        return self.describe_requested(headers, args, **overrides)

    def describe_stored(self, headers: HttpHeaders, size: int) -> Metadata:
        """The metadata of an object of `size` bytes, from the response to the PUT that stored it."""
        return Metadata(content_length=size, etag=header_etag(headers))

    def describe_created(self, headers: HttpHeaders, content: bytes, size: int) -> Metadata:
        """The metadata of an object of `size` bytes, from the whole response to the request that stored it.

        A store that states the metadata in the content overrides this.
        """
        return self.describe_stored(headers, size)

    def with_content(self, request: HttpRequest, content: bytes) -> HttpRequest:
        """The request of `put` with the content of the object, which it was built without."""
        return request.with_content(content)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        """The error that a response means.

        Arguments:
            status: its status.
            headers: its headers.
            content: its body, or the first part of it; empty in the response to a HEAD.
            args: the arguments of the operation, where it is one on a single object.
        """
        return status_error(status, headers)

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        """Passes if the content of a response with a successful status is not an error.

        Raises:
            Error: it is. The storage started to respond before it knew the outcome.
        """

    def content_check(self, headers: HttpHeaders) -> ContentCheck | None:
        """The check of the content of a response that has the whole object, if its headers state a checksum."""
        return None

    def refused_size(self, content: bytes) -> int | None:
        """The size of the object according to the body of a 416, if the storage states it there."""
        return None
