"""Plain blocking requests to a server of the tests, each on a new connection."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import Final

REQUEST_SECONDS: Final = 60.0
"""How long one of our own requests may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Arguments:
        status: the status code.
        content: the body, whole.
    """

    status: int
    content: bytes = b""


def ask(connection: http.client.HTTPConnection, method: str, target: str, body: object = None, **headers: str) -> Reply:
    """The reply to one request. The connection is closed.

    Raises:
        OSError: the server sent no response, or something other than HTTP.
    """
    try:
        connection.request(method, target, body, headers)  # type: ignore[arg-type]
        response = connection.getresponse()
        return Reply(response.status, response.read())
    except http.client.HTTPException as error:
        raise ConnectionError(f"{connection.host} sent no response: {error!r}") from error
    finally:
        connection.close()


def connection_to(host: str, *, is_tls: bool = False, timeout: float = REQUEST_SECONDS) -> http.client.HTTPConnection:
    """A connection to a server of ours. Its certificate is not looked at: the test made it."""
    if is_tls:
        return http.client.HTTPSConnection(host, timeout=timeout, context=_trusting_context())
    return http.client.HTTPConnection(host, timeout=timeout, blocksize=1 << 20)


def _trusting_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
