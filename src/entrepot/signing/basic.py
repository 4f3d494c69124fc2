"""Credentials that every request carries: a bearer token (RFC 6750)."""

from __future__ import annotations

from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest


class HeaderSigner(RequestSigner):
    """Adds an Authorization header, the same to each request.

    Arguments:
        authorization: its value.
    """

    __slots__ = ("_header",)

    def __init__(self, authorization: str) -> None:
        self._header = ("Authorization", authorization)

    @property
    def is_anonymous(self) -> bool:
        return False

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest:
        return request.with_headers([*request.headers, self._header])

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return self.sign_now(request)


def bearer_signer(token: str) -> HeaderSigner:
    """A signer for bearer authentication."""
    return HeaderSigner(f"Bearer {token}")
