"""An accessor over any HTTP object store. A dialect builds its requests and reads its responses."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Generic

from entrepot.errors import ConfigInvalid, Error, NotFound, Unsupported
from entrepot.raw import (
    DEFAULT_READ,
    DEFAULT_WRITE,
    Accessor,
    AccessorInfo,
    OpList,
    OpPart,
    OpPost,
    OpPresign,
    OpRead,
    OpStat,
    OpWrite,
    RpDelete,
    RpList,
    RpPresign,
    RpRead,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    build_abs_path,
    is_dir_path,
    oio,
)
from entrepot.raw.conditions import is_conditional
from entrepot.raw.effects import leaves_doubt
from entrepot.types import EntryMode, Metadata

from .client import D, HttpClient, with_size
from .deletions import HttpDeletions
from .dialect import ListRequests
from .publication import Publication
from .reader import HttpReader, stated_content
from .transport import HttpHeaders, HttpRequest, HttpResponse
from .whole import checked_content, plain_content, plain_length

# On Python 3.11 the lookup of an enum member takes as long as a call.
_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR

_NO_LISTING: Final = (
    "there is nothing at this endpoint that can be listed: check the endpoint, and the name of the bucket"
)


@contextmanager
def explained_listing() -> Iterator[None]:
    """For a request that lists what has a prefix, which may be nothing: what is not found is the place of all keys.

    Raises:
        ConfigInvalid: in place of NotFound.
    """
    try:
        yield
    except NotFound as error:
        raise ConfigInvalid(_NO_LISTING, context=error.context) from error


class HttpStore(Accessor, Generic[D]):
    """Objects in an HTTP object store, below a root.

    It has stat, read, write by one PUT, delete, list and presign. A service that can do more, such as uploads in
    parts or copies, overrides those operations.

    Arguments:
        info: what the service is and can do.
        client: sends the requests of the dialect.
        deletions: makes deletions; by default by one request each. A store that deletes many objects by one request
            states in `delete_max_size` how many.
    """

    def __init__(self, info: AccessorInfo, client: HttpClient[D], deletions: HttpDeletions[D] | None = None) -> None:
        self.info = info
        self._prefix = build_abs_path(info.root, "/")
        self._client = client
        self._dialect = client.dialect
        self._deletions = deletions or HttpDeletions(client, info.root)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return self._found(path, args, *await self._client.call(self._dialect.head(self._key(path), args), args))

    def _found(self, path: str, args: OpStat, headers: HttpHeaders, content: bytes) -> RpStat:
        """The response to a stat, out of the store's."""
        mode = _DIRECTORY if is_dir_path(path) else _FILE
        return RpStat(metadata=self._dialect.describe_found(headers, content, args, mode=mode))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        return self._opened(path, args, self._dialect.get(self._key(path), args))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        request = self._dialect.get(self._key(path), args)
        response = await self._client.open(request, args)
        length = plain_length(response, args.range)
        if length is None:
            return self._opened(path, args, request, await self._with_size(response, path, args))
        try:
            if described is not None or (args is not DEFAULT_READ and is_conditional(args)):
                metadata = self._described(args, response.headers, stated_content(response).size)
                if described is not None:
                    described.metadata = metadata
            is_whole = response.status == 200
            check = self._dialect.content_check(response.headers) if is_whole else None
            content = response.body.take_rest()
            if content is None:
                return await plain_content(response.body, length, check)
            return checked_content(content, length, check)
        finally:
            await response.body.close()

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return RpWrite(), oio.OneShotWriter(Publication(self._client, self._key(path), args).put)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        content = data if isinstance(data, bytes) else bytes(data)
        if args is DEFAULT_WRITE:
            return await self._store_plainly(path, content)
        publication = Publication(self._client, self._key(path), args)
        try:
            return await publication.put(content)
        except Error as error:
            # The next attempt is made by the same publication, which knows that this one may have stored the object.
            return RpWrite(), oio.FailedWriter(oio.OneShotWriter(publication.put), error)

    async def _store_plainly(self, path: str, content: bytes) -> WholeWrite:
        """Does what a `Publication` does for most writes: those without options, and so without conditions."""
        dialect = self._dialect
        request = dialect.put(self._key(path), content, DEFAULT_WRITE)
        try:
            headers, answer = await self._client.store_described(request)
            return dialect.describe_created(headers, answer, len(content))
        except Error as error:
            return RpWrite(), oio.FailedWriter(self._next_attempt(path, error), error)

    def _next_attempt(self, path: str, error: Error) -> oio.Write:
        """The body that writes what `_store_plainly` failed to store. A service with another body overrides this.

        Arguments:
            path: the object.
            error: how the first attempt ended, which may have stored the object all the same.
        """
        unsure = leaves_doubt(error)
        return oio.OneShotWriter(Publication(self._client, self._key(path), DEFAULT_WRITE, is_unsure=unsure).put)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        max_size = self.info.native_capability.delete_max_size or 1
        return RpDelete(), oio.BatchDeleter(self._deletions.delete_one, self._deletions.delete_many, max_size)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        listing = self._dialect.listing(self.info.root, path, args)
        return RpList(), oio.PageLister(partial(self._page_of_keys, listing))

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        if isinstance(args.operation, OpPost | OpPart):
            raise Unsupported(f"the service cannot presign a {args.name}")
        request = self._dialect.request(self._key(path), args.operation)
        return RpPresign(request=await self._client.presign(request, args.expires))

    def _opened(
        self, path: str, args: OpRead, request: HttpRequest, received: HttpResponse | None = None
    ) -> tuple[RpRead, HttpReader]:
        """The body of a read, which sends the request unless its response is there already."""

        async def send() -> HttpResponse:
            return await self._with_size(await self._client.open(request, args), path, args)

        result = RpRead()
        describe = partial(self._described, args)
        return result, HttpReader(send, args.range, describe, result, self._dialect.content_check, received)

    def _described(self, args: OpRead, headers: HttpHeaders, size: int | None) -> Metadata:
        return self._dialect.describe_requested(headers, args, content_length=size)

    async def _with_size(self, response: HttpResponse, path: str, args: OpRead) -> HttpResponse:
        """The response; a 416 with the size of the object, which some servers do not state there."""
        if response.status != 416:
            return response
        response = await self._client.refused(response)
        if "content-range" in response.headers:
            return response
        known = await self.stat(path, args.to_stat())
        return with_size(response, known.metadata.content_length)

    async def _page_of_keys(self, listing: ListRequests, token: str | None) -> oio.Page:
        with explained_listing():
            return await self._page(listing, token)

    async def _page(self, listing: ListRequests, token: str | None) -> oio.Page:
        return listing.page(*await self._client.call(listing.request(token)))

    def _key(self, path: str) -> str:
        return self._prefix if path == "/" else self._prefix + path  # as `build_abs_path`
