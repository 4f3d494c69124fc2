"""Calls of the services that give out credentials: bounded responses, and errors without secrets."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from entrepot.errors import Error, PermissionDenied, RateLimited, Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpTransport

RESPONSE_LIMIT: Final = 1024 * 1024
"""The most bytes of a response that are read. Credentials have a few thousand."""

_PIECE: Final = 64 * 1024
_THROTTLING: Final = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)
_TEMPORARY: Final = frozenset({"IDPCommunicationError", "RequestTimeout", "RequestTimeoutException", "InternalFailure"})


class Response(NamedTuple):
    """A whole response."""

    status: int
    headers: HttpHeaders
    content: bytes


async def fetch(http: HttpTransport, request: HttpRequest) -> Response:
    """Sends a request and reads the whole response. Redirects are not followed.

    Raises:
        Error: as `HttpTransport.send`.
        Unexpected: the response is longer than `RESPONSE_LIMIT`.
    """
    response = await http.send(request)
    content = b""
    try:
        while piece := await response.body.read(_PIECE):
            content += piece
            if len(content) > RESPONSE_LIMIT:
                raise Unexpected(f"a response with credentials has more than {RESPONSE_LIMIT} bytes")
    finally:
        await response.body.close()
    return Response(response.status, response.headers, content)


def failure(what: str, status: int, code: str = "", detail: str = "") -> Error:
    """The error for a response that is not a success.

    Arguments:
        what: the name of the call, such as `"the request for the credentials of the container"`.
        status: the status of the response.
        code: the code of the error that it names.
        detail: its message. It must not hold a secret.
    """
    message = f"{what} failed: " + (": ".join(filter(None, (code, detail))) or f"status {status}")
    if status == 429 or code in _THROTTLING:
        return RateLimited(message)
    if status >= 500 or code in _TEMPORARY:
        return Unexpected(message, is_temporary=True)
    return PermissionDenied(message)


def json_object(what: str, content: bytes | str) -> Mapping[str, Any]:
    """The JSON object in a text.

    Arguments:
        what: the name of the text, for the error: `"the response of ..."`.
        content: the text.

    Raises:
        Unexpected: it is not a JSON object. Temporary. Nothing of the text is shown, since it may hold credentials.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Unexpected(f"{what} is not a JSON object", is_temporary=True)
    return value


def text_of(values: Mapping[str, Any], key: str) -> str | None:
    """The text of a key of a JSON object; None if it is missing or not a text."""
    value = values.get(key)
    return value if isinstance(value, str) else None
