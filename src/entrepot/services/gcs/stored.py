"""The request that stores an object as a whole, after its condition was looked up."""

from entrepot.raw import OpWrite
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import Publication
from entrepot.types import Metadata

from .core import GcsCore
from .snapshots import resolved


class NewObject:
    """One object to store. Its condition is looked up once, also where several attempts are made.

    Arguments:
        client: sends the requests.
        key: the key of the object.
        args: the metadata to store, and the conditions.
        is_unsure: whether an attempt that was made without this object may have stored it.

    Attributes:
        client: the same.
        key: the same.

    Raises:
        InvalidInput: the key or the metadata cannot be sent.
    """

    __slots__ = ("_args", "_is_unsure", "_publication", "client", "key")

    def __init__(self, client: HttpClient[GcsCore], key: str, args: OpWrite, *, is_unsure: bool = False) -> None:
        client.dialect.check_new(key, args)
        self.client = client
        self.key = key
        self._args = args
        self._is_unsure = is_unsure
        self._publication: Publication[GcsCore] | None = None

    async def args(self) -> OpWrite:
        """The options of the write, with the snapshot that its condition stands for.

        Raises:
            ConditionNotMatch: the condition does not hold.
        """
        if self._publication is None:
            self._args = await resolved(self.client, self.key, self._args)
            self._publication = Publication(self.client, self.key, self._args, is_unsure=self._is_unsure)
        return self._args

    async def publication(self) -> Publication[GcsCore]:
        """Sends what makes the object visible."""
        await self.args()
        assert self._publication is not None
        return self._publication

    async def store(self, content: bytes) -> Metadata:
        """Stores the whole object by one request."""
        return await (await self.publication()).put(content)
