"""A customer's key is sent over TLS, or to this machine."""

from datetime import timedelta
from typing import Final

from entrepot.errors import Error
from entrepot.raw.http.endpoint import is_loopback, parse_endpoint
from entrepot.raw.http.form import Form
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest
from entrepot.services.s3.invalid import invalid
from entrepot.types import PresignedRequest

_UNENCRYPTED: Final = "http://"


def check_is_private(url: str) -> None:
    """Refuses a server to which a key would be sent unencrypted over a network.

    Raises:
        ConfigInvalid: the server is one.
    """
    if not url.startswith(_UNENCRYPTED):
        return
    authority = url.removeprefix(_UNENCRYPTED).partition("/")[0]
    if not is_loopback(parse_endpoint(_UNENCRYPTED + authority).host):
        raise invalid("server_side_encryption_customer_key needs an https endpoint: http would show it")


class PrivateKeySigner(RequestSigner):
    """Signs requests that hold a customer's key, if the key stays private.

    The configuration is checked when it is made. An endpoint in a profile is known only when a request is sent.

    Arguments:
        signer: signs.
    """

    __slots__ = ("_signer",)

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = signer

    @property
    def is_anonymous(self) -> bool:
        return self._signer.is_anonymous

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        check_is_private(request.url)
        return self._signer.sign_now(request, is_content=is_content)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        check_is_private(request.url)
        return await self._signer.sign(request)

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        check_is_private(request.url)
        return await self._signer.sign_content(request)

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        check_is_private(request.url)
        return await self._signer.presign(request, expires)

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        return await self._signer.presign_form(request, form, expires)

    def hashes_content(self, url: str) -> bool:
        return self._signer.hashes_content(url)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        return self._signer.explain(error, sent)
