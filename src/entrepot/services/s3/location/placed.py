"""Requests are moved to where the bucket is before they are signed."""

from datetime import timedelta

from entrepot.errors import Error
from entrepot.raw.http.form import Form
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest
from entrepot.types import PresignedRequest

from .place import BucketPlace


class PlacedSigner(RequestSigner):
    """Moves requests to the address of the bucket, for a signer that signs them for its region.

    Arguments:
        place: where the bucket is.
        signer: signs.
    """

    __slots__ = ("_place", "_signer")

    def __init__(self, place: BucketPlace, signer: RequestSigner) -> None:
        self._place = place
        self._signer = signer

    @property
    def is_anonymous(self) -> bool:
        return self._signer.is_anonymous

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        address = self._place.address
        if address is None:
            return None
        if address is not self._place.nominal:
            request = self._place.moved(request, address)
        return self._signer.sign_now(request, is_content=is_content)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        address = self._place.address or await self._place.find()
        return await self._signer.sign(self._place.moved(request, address))

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        address = self._place.address or await self._place.find()
        return await self._signer.sign_content(self._place.moved(request, address))

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        address = self._place.address or await self._place.find()
        return await self._signer.presign(self._place.moved(request, address), expires)

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        address = self._place.address or await self._place.find()
        return await self._signer.presign_form(self._place.moved(request, address), form, expires)

    def hashes_content(self, url: str) -> bool:
        return self._signer.hashes_content(url)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        return self._signer.explain(error, sent)
