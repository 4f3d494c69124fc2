"""The request that makes a new object visible.

Theory of operation. Such a request may take effect although its response is lost, and the writer then sends it again.
The storage may answer the second attempt with "the condition does not hold" or "there is no such upload" because the
first one succeeded. A `Publication` therefore remembers whether an earlier attempt may have taken effect unseen
(`is_unsure`): from the time a request is sent until a final response to it arrives, and for good once an attempt was
cancelled, or ended with a temporary error that does not say that nothing was done (`raw/effects.py`).

Whether an upload in parts succeeded can be determined: only we know its id, and its parts determine the etag. Whether a
conditional PUT succeeded cannot, since another writer may have stored the same bytes; that error stays, and its message
says what may have happened.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from entrepot.errors import ConditionNotMatch, Error, NotFound, ObjectExists
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.layered import Coro
from entrepot.raw.ops import OpWrite
from entrepot.types import Metadata

from .client import D, HttpClient
from .transport import Header, HttpHeaders, HttpRequest

T = TypeVar("T")


class Publication(Generic[D]):
    """Sends what makes one object visible, and interprets refusals of it.

    Arguments:
        client: sends the requests.
        key: the key of the object.
        args: the metadata to store, and the conditions.
        is_unsure: whether an attempt that was made without this object may have taken effect.

    Attributes:
        is_unsure: whether an earlier attempt may have taken effect although it seemed to fail.

    Raises:
        InvalidInput: the key or the metadata cannot be sent.
    """

    __slots__ = ("_args", "_client", "_put", "is_unsure")

    def __init__(self, client: HttpClient[D], key: str, args: OpWrite, *, is_unsure: bool = False) -> None:
        self._client = client
        self._put = client.dialect.put(key, b"", args)
        self._args = args
        self.is_unsure = is_unsure

    async def put(self, content: bytes, more: Sequence[Header] = ()) -> Metadata:
        """Stores the whole object by one request.

        Arguments:
            content: the content of the object.
            more: headers that depend on the content.
        """
        response = await self._attempt(self._client.store_described, self._request(content, more))
        return self._client.dialect.describe_created(*response, len(content))

    def send(self, content: bytes, more: Sequence[Header] = ()) -> Coro[HttpHeaders]:
        """Does the same, and returns the headers of the response."""
        return self._attempt(self._client.store, self._request(content, more))

    def call(self, request: HttpRequest) -> Coro[tuple[HttpHeaders, bytes]]:
        """Sends any other request that makes the object visible, such as the end of an upload in parts."""
        return self._attempt(self._client.call, request)

    def _request(self, content: bytes, more: Sequence[Header]) -> HttpRequest:
        request = self._client.dialect.with_content(self._put, content)
        return request.with_headers([*request.headers, *more]) if more else request

    async def _attempt(self, send: Callable[[HttpRequest], Awaitable[T]], request: HttpRequest) -> T:
        was_unsure, self.is_unsure = self.is_unsure, True
        try:
            return await send(request)
        except Error as error:
            self.is_unsure = was_unsure or leaves_doubt(error)
            raise self._interpreted(error, was_unsure) from None

    def _interpreted(self, error: Error, was_unsure: bool) -> Error:
        """The error that a refusal means here: some stores respond 404 when `if_match` meets no object."""
        if isinstance(error, NotFound) and self._args.if_match is not None:
            return ConditionNotMatch("if_match does not hold: there is no object", context=error.context)
        if not isinstance(error, ConditionNotMatch) or error.is_temporary:
            return error
        refused = object_exists(error) if self._args.if_not_exists else error
        if was_unsure:
            doubt = "a condition no longer holds; an earlier attempt, whose response was lost, may have stored this"
            return type(refused)(doubt, context=error.context)
        return refused


def object_exists(error: ConditionNotMatch) -> ObjectExists:
    """The error of a refused request whose only condition is that the object does not exist."""
    return ObjectExists("if_not_exists does not hold: there is such an object", context=error.context)
