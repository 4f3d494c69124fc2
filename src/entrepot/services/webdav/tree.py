"""Looks for files and directories on a WebDAV server, and makes directories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from entrepot.errors import Error, IsADirectory, NotADirectory, NotFound, Unexpected
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.raw.path import get_parent

from .core import WebdavDialect, not_webdav
from .multistatus import MULTI_STATUS, read_multistatus
from .resource import Resource

T = TypeVar("T")

_BAD_REQUEST: Final = 400
_NO_METHOD: Final = (405, 501)
_EXISTS: Final = frozenset({301, 405})
"""The statuses of MKCOL for a name that is taken."""

_MAY_LACK_PARENT: Final = frozenset({400, 403, 404, 405, 409, 500, 502})
"""The statuses with which servers refuse to make a file or directory in a directory that does not exist. The standard
is 409; nginx responds 500 to PUT, Apache 500 to MOVE, and some respond 404 or 403."""

_LACKED_PARENT: Final = frozenset({404, 409, 500})
"""Those with which they refuse nothing else, so that the directory may have been made since."""


class Tree:
    """The files and directories below an endpoint. Keys are relative to it; the empty key is the endpoint itself.

    Arguments:
        client: sends the requests.
        makes_parents: whether missing directories above a new file are made.
    """

    __slots__ = ("_client", "_makes_parents")

    def __init__(self, client: HttpClient[WebdavDialect], *, makes_parents: bool) -> None:
        self._client = client
        self._makes_parents = makes_parents

    async def find(self, key: str, *, has_user_metadata: bool = False) -> Resource:
        """Finds a file or directory. A slash at the end of the key says nothing about which.

        Raises:
            NotFound: there is neither.
        """
        request = self._client.dialect.find(key, has_user_metadata=has_user_metadata)
        resources = await _read_all(await self.open(key, request))
        return _named(resources, self._client.dialect.path_of(key))

    async def look(self, key: str) -> Resource | None:
        """Does the same, and returns None if there is neither."""
        with suppress(NotFound):
            return await self.find(key)
        return None

    async def open(self, key: str, request: HttpRequest) -> HttpResponse:
        """Sends a PROPFIND about a key, and returns the multi-status, unread.

        Raises:
            NotFound: there is no file or directory.
            Unexpected: the server has no PROPFIND, or responds with something else.
        """
        try:
            response = await self._client.respond(request)
        except Unexpected as error:
            status = error.context.get("status")
            if status in _NO_METHOD:
                raise Unexpected("the server has no WebDAV at this URL", context=error.context) from None
            if status == _BAD_REQUEST and await self._is_below_a_file(key):
                raise NotFound("there is no such file: a name above it is a file") from None
            raise
        if response.status != MULTI_STATUS:
            await response.body.close()
            raise not_webdav(response.status)
        return response

    async def with_parents(self, key: str, send: Callable[[], Awaitable[T]]) -> T:
        """Makes a file or directory by `send`, once more after the directories above it were made, if they are missing.

        Arguments:
            key: the file or directory that `send` makes.
            send: makes it.

        Raises:
            IsADirectory: a directory has the name.
            NotADirectory: a name above it is a file.
            NotFound: the directory above it does not exist, and is not made.
        """
        try:
            return await send()
        except Error as error:
            if error.context.get("status") not in _MAY_LACK_PARENT:
                raise
            reason = await self._unless_parent_was_made(key, error)
        if reason is not None:
            raise reason
        return await send()

    async def _unless_parent_was_made(self, key: str, error: Error) -> Error | None:
        """The error that a refusal means; None if the directory above is made now, perhaps by another client."""
        found = await self.look(key)
        if found is not None and found.is_directory:
            return IsADirectory("a directory has this name")
        if found is not None or "/" not in key.rstrip("/"):
            return error
        parent = get_parent(key)
        above = await self.look(parent)
        if above is not None and above.is_directory:
            return None if error.context.get("status") in _LACKED_PARENT else error
        if above is not None or await self._is_below_a_file(parent):
            return NotADirectory("a name above it is a file")
        if not self._makes_parents:
            return NotFound("the directory above it does not exist")
        await self.make_directory(parent)
        return None

    async def make_directory(self, key: str) -> None:
        """Makes a directory, and the missing ones above it. One that exists is left as it is.

        Arguments:
            key: the directory, with a slash at its end.

        Raises:
            NotADirectory: a file has the name, or a name above it.
            Unexpected: a directory was made and does not exist. Temporary: another client may have deleted it.
        """
        missing, made = [key], set[str]()
        while missing:
            if await self._make(missing[-1]):
                made.add(missing.pop())
            elif (above := get_parent(missing[-1])) in made:
                raise Unexpected("the directory above it was made, and does not exist", is_temporary=True)
            else:
                missing.append(above)

    async def _make(self, key: str, *, is_last: bool = False) -> bool:
        """Makes one directory. Returns whether it exists now; if not, the directory above it is missing.

        Arguments:
            key: the directory.
            is_last: whether a refusal is final, because the directory above it exists.
        """
        try:
            await self._client.do(self._client.dialect.make_directory(key))
        except Error as error:
            status = error.context.get("status")
            if status not in _EXISTS | _MAY_LACK_PARENT:
                raise
            return await self._is_made(key, error, is_last=is_last)
        return True

    async def _is_made(self, key: str, error: Error, *, is_last: bool) -> bool:
        """What a refusal means: the same as `_make`."""
        found = await self.look(key)
        if found is not None and found.is_directory:
            return True
        if found is not None:
            raise NotADirectory("a file has the name of the directory") from None
        parent = get_parent(key)
        if parent == "/":
            raise error
        above = await self.look(parent)
        if above is None and not await self._is_below_a_file(parent):
            return False
        if above is None or not above.is_directory:
            raise NotADirectory("a name above it is a file") from None
        if is_last or error.context.get("status") not in _LACKED_PARENT:
            raise error
        return await self._make(key, is_last=True)  # another client has made the one above it in the meantime

    async def _is_below_a_file(self, key: str) -> bool:
        """Whether the nearest name above a key that exists is a file. Apache responds 400 to every key below a file."""
        parent = get_parent(key)
        while parent != "/":
            try:
                response = await self._client.respond(self._client.dialect.find(parent))
            except NotFound:
                pass
            except Unexpected as error:
                if error.context.get("status") != _BAD_REQUEST:
                    raise
            else:
                resources = await _read_all(response)
                return not _named(resources, self._client.dialect.path_of(parent)).is_directory
            parent = get_parent(parent)
        return False


async def _read_all(response: HttpResponse) -> list[Resource]:
    try:
        return await read_multistatus(response.body)
    finally:
        await response.body.close()


def _named(resources: list[Resource], path: str) -> Resource:
    """The resource of a response that was requested."""
    found = next((resource for resource in resources if resource.decoded_path == path), None)
    if found is None and len(resources) == 1:  # a proxy may change the path
        found = resources[0]
    if found is None:
        raise Unexpected("the response is not about the requested file")
    if found.status == 404:
        raise NotFound("there is no such file")
    if found.status >= 300:
        raise Unexpected("the server does not describe the file").add_context(status=found.status)
    return found
