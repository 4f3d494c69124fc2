"""Writes a file so that it appears when its content is complete.

Theory of operation. Azure makes a file empty, and replaces the old one, before content can be appended, so that a write
in place would show an empty file for a while, and leave one if it broke off. So the content is appended to a file with
a temporary name beside the target, flushed, and renamed to the target. The rename replaces a file in one step, and has
the conditions of the write.

- Content is appended at positions, several parts at a time and in any order: the sizes of the parts are known by their
  numbers. An append or flush that is sent again does the same again.
- The target is looked at first: a directory is refused.
- If the response to a rename is lost, the next attempt looks for the temporary file: no other program knows its name,
  so if it is gone and the target has the length, the rename was made.
- Another process may delete the temporary file with its directory, which looks empty to it. Content of one append is
  then sent again, by the next attempt.
- `abort`, and an attempt that failed for good, delete the temporary file. A process that dies leaves it: listings leave
  out such names, which are `.entrepot-<16 hexadecimal digits>.tmp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import ConditionNotMatch, Error, IsADirectory, NotADirectory, NotFound, Unexpected
from entrepot.raw import DEFAULT_DELETE, DEFAULT_STAT, OpWrite
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.stored_headers import write_conditions
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio import MultipartUpload, MultipartWriter, Part, PartSizes
from entrepot.raw.temporary_names import deleted_meanwhile, new_temporary_name
from entrepot.signing.azure_errors import check_origin
from entrepot.types import Metadata

from .core import AzdlsCore, check_target, is_directory

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

MAX_APPEND: Final = 100 * 1024**2
"""The most bytes of one append."""

MAX_APPENDS: Final = 50_000
"""The most appends to a file."""

MAX_TOTAL: Final = MAX_APPENDS * MAX_APPEND
"""The most bytes of a file: 4.8 TiB."""


class AzdlsUpload(MultipartUpload):
    """Stores one file.

    Arguments:
        client: sends the requests.
        key: the key of the file.
        args: the metadata to store, and the conditions.
        sizes: the sizes of the parts.

    Raises:
        InvalidInput: the key or the metadata cannot be stored.
    """

    def __init__(self, client: HttpClient[AzdlsCore], key: str, args: OpWrite, sizes: PartSizes) -> None:
        check_target(key)
        self._client = client
        self._core = client.dialect
        self._key = key
        self._args = args
        self._sizes = sizes
        above, _, _ = key.rpartition("/")
        self._temporary = f"{above}/{new_temporary_name()}" if above else new_temporary_name()
        self._creation = self._core.make_file(self._temporary, args)
        self._may_exist = False  # whether the temporary file may have to be deleted
        self._is_moving = False  # whether it may have been renamed

    async def store(self, content: bytes) -> Metadata:
        is_new = not self._is_moving
        if is_new:
            await self.initiate()
        try:
            if is_new and content:
                await self._client.store(self._core.append(self._temporary, 0, content))
            return await self._publish(len(content))
        except NotFound as error:
            raise deleted_meanwhile(error, has_content=True) from None

    async def initiate(self) -> str:
        """Makes the temporary file.

        Raises:
            NotADirectory: a name above the file is one of a file.
        """
        self._may_exist = True
        try:
            await self._client.do(self._creation)
        except (ConditionNotMatch, NotFound, Unexpected) as error:
            if not error.is_temporary and await is_below_a_file(self._client, self._key):
                raise NotADirectory("a name above it is a file") from None
            raise
        return self._temporary

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        body = content[0] if len(content) == 1 else tuple(content)
        request = self._core.append(upload, self._sizes.offset(number), body)
        try:
            await self._client.store(request)
        except NotFound as error:
            raise deleted_meanwhile(error, has_content=False) from None
        return Part(number, "", request.size)

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        try:
            return await self._publish(sum(part.size for part in parts))
        except NotFound as error:
            raise deleted_meanwhile(error, has_content=False) from None

    async def abort(self, upload: str) -> None:
        await self.discard()

    async def discard(self) -> None:
        """Deletes the temporary file, if there may be one."""
        if self._may_exist:
            with suppress(NotFound):
                await self._client.do(self._core.delete(self._temporary, DEFAULT_DELETE))
            self._may_exist = False

    async def _publish(self, length: int) -> Metadata:
        try:
            if not (self._is_moving and await self._was_moved(length)):
                await self._client.do(self._core.flush(self._temporary, length))
                await self._move()
        except Error as error:
            if not error.is_temporary:
                with suppress(Error):  # it would hide the reason; `abort` tries again
                    await self.discard()
            raise
        self._may_exist = self._is_moving = False
        return Metadata(content_length=length)

    async def _move(self) -> None:
        target = await look(self._client, self._key)
        if target is not None and is_directory(target):
            raise IsADirectory("a directory has this name")
        if target is None and self._args.if_match is not None:
            raise ConditionNotMatch("if_match does not hold: there is no object")
        self._is_moving = True
        try:
            await self._client.do(self._core.rename(self._temporary, self._key, write_conditions(self._args)))
        except ConditionNotMatch as error:
            self._is_moving = False
            raise (object_exists(error) if self._args.if_not_exists else error) from None
        except Error as error:
            self._is_moving = leaves_doubt(error)
            raise

    async def _was_moved(self, length: int) -> bool:
        """Whether an earlier rename, whose response was lost, was made."""
        if await look(self._client, self._temporary) is not None:
            self._is_moving = False
            return False
        target = await look(self._client, self._key)
        if target is None or parse_length(target.get("content-length")) != length:
            raise Unexpected("the file may have been stored and then replaced: its temporary file is gone")
        return True


class AzdlsWriter(MultipartWriter):
    """Writes one file, and leaves no temporary one when it is aborted.

    Arguments:
        upload: the calls of the service.
        sizes: the sizes of the parts.
        window: runs the calls.
    """

    __slots__ = ("_file",)

    def __init__(self, upload: AzdlsUpload, sizes: PartSizes, window: Window[Any]) -> None:
        super().__init__(upload, sizes, window)
        self._file = upload

    async def _discard(self) -> None:
        await super()._discard()
        await self._file.discard()


async def look(client: HttpClient[AzdlsCore], key: str) -> HttpHeaders | None:
    """The properties of a file or directory; None if there is neither."""
    with suppress(NotFound):
        headers, _ = await client.call(client.dialect.head(key, DEFAULT_STAT))
        check_origin(headers)
        return headers
    return None


async def is_below_a_file(client: HttpClient[AzdlsCore], key: str) -> bool:
    """Whether the nearest name above a key that exists is one of a file."""
    above = key.rstrip("/").rpartition("/")[0]
    while above:
        found = await look(client, above)
        if found is not None:
            return not is_directory(found)
        above = above.rpartition("/")[0]
    return False
