"""Tells a missing bucket from a missing object.

The response to a HEAD has no content and therefore no code: 404 is the same for both. One page of the bucket with one
key is requested then, since the error of a GET has a code. Any response but NoSuchBucket, a refusal included, shows
that the bucket exists or that the store does not tell; either is remembered, so that this costs one request.
"""

from entrepot.errors import Error
from entrepot.raw.http.client import HttpClient

from .core import S3Core
from .errors import BUCKET_MISSING


class BucketProbe:
    """Checks once that a bucket exists.

    Arguments:
        client: sends the request.

    Attributes:
        is_settled: whether the bucket is known to exist, or the store does not tell.
    """

    __slots__ = ("_client", "_lock", "is_settled")

    def __init__(self, client: HttpClient[S3Core]) -> None:
        self._client = client
        self._lock = client.runtime.local(client.runtime.lock)
        self.is_settled = False

    async def check(self) -> None:
        """Returns if the bucket may exist. Calls at the same time wait for one request.

        Raises:
            ConfigInvalid: there is no such bucket. It is not remembered: the bucket may be created later.
            Error: the request failed with a temporary error, so that it is unknown.
        """
        if self.is_settled:
            return
        async with await self._lock.get():
            if not self.is_settled:
                await self._request()

    async def _request(self) -> None:
        try:
            await self._client.call(self._client.dialect.first_key())
        except Error as error:
            if error.is_temporary or error.context.get("code") == BUCKET_MISSING:
                raise
            # A permanent refusal, such as AccessDenied to callers who may not list, says nothing about the bucket.
        self.is_settled = True
