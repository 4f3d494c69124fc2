"""Requests are moved to where the bucket is before they are signed."""

from datetime import timedelta

from entrepot.errors import Error
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

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return await self._signer.sign(await self._moved(request))

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        return await self._signer.sign_content(await self._moved(request))

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        return await self._signer.presign(await self._moved(request), expires)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        return self._signer.explain(error, sent)

    async def _moved(self, request: HttpRequest) -> HttpRequest:
        return self._place.moved(request, self._place.address or await self._place.find())
