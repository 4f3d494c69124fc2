"""Writing a file: all of it or nothing. Other processes see one step."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error
from entrepot.raw import OpWrite, oio
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Metadata

from .kernel.beneath import put_in_parent
from .kernel.content import check_close, describe_open, write_all
from .kernel.describe import describe
from .kernel.descriptor import Descriptor
from .kernel.permissions import Permissions, give_permissions
from .kernel.publish import check_target, sync_directory
from .kernel.temporary import Temporary
from .kernel.xattrs import set_user_metadata
from .revocable import Revocable, until_free

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

Content = Sequence[bytes | bytearray | memoryview]

_DEFAULT_MODE: Final = 0o666
_PRIVATE_MODE: Final = 0o600
_PATIENCE: Final = 1.0
"""Seconds that a cancelled `store` waits for its thread, which stops before its next step."""


class Replacement(oio.PositionedFile):
    """The new content of a file, in a temporary file beside it until it is published. Writes are made one at a time.

    Arguments:
        runtime: makes the blocking calls.
        root: the root directory.
        relative: the file, relative to the root.
        args: how to write.
        fsync: whether the content is forced to the disk before it is published.
    """

    __slots__ = (
        "_args",
        "_fsync",
        "_name",
        "_published",
        "_queue",
        "_relative",
        "_replaced",
        "_revocable",
        "_root",
        "_runtime",
        "_temporary",
    )  # fmt: skip

    def __init__(self, runtime: "Runtime", root: str, relative: str, args: OpWrite, *, fsync: bool) -> None:
        self._runtime = runtime
        self._root = root
        self._relative = relative
        self._args = args
        self._fsync = fsync
        self._name = relative.rpartition("/")[2]
        self._replaced: Permissions | None = None
        self._temporary: Temporary | None = None
        self._published: Metadata | None = None
        self._revocable = Revocable()
        self._queue = runtime.call_queue()

    async def store(self, content: bytes | bytearray | memoryview) -> Metadata:
        """Writes the whole content and replaces the file, by one call in a thread. `publish` goes on after an `Error`.

        After anything else, such as a cancellation, nothing changes any more. A thread that hangs in a call of the
        system for longer than `_PATIENCE` is left to itself, so that a time limit holds: it stops after that call, and
        removes the temporary file. Only if the call was the one that replaces the file, this has happened then.
        """
        try:
            return await self.publish(0, (content,))
        except Error:
            raise
        except BaseException:
            await self._runtime.shield(self._stop)
            raise

    async def _stop(self) -> None:
        with suppress(TimeoutError):
            await self._runtime.with_timeout(_PATIENCE, self.abort)

    async def write_at(self, offset: int, content: Content) -> None:
        await self._queue.blocking(self.fill, offset, content)

    async def publish(self, offset: int, content: Content) -> Metadata:
        return await self._runtime.blocking(self.take_effect, offset, content)

    async def abort(self) -> None:
        if self._revocable.revoke() or self._temporary is not None:
            await until_free(self._runtime, self._revocable)
            await self._runtime.blocking(self._drop)

    def fill(self, offset: int, content: Content) -> None:
        """Writes to the temporary file, which is made by the first call. Blocks."""
        with self._revocable, translate_os_errors():
            if self._published is None:
                self._write(self._opened(), offset, content)

    def take_effect(self, offset: int, content: Content) -> Metadata:
        """Writes the last bytes and replaces the file by the temporary file. Blocks.

        It takes effect once: a call that is repeated after its caller was cancelled returns the first result.
        """
        with self._revocable, translate_os_errors():
            if self._published is None:
                try:
                    self._published = self._publish(offset, content)
                except BaseException:
                    if offset == 0 and not self._has_target_name():  # the whole content is passed again
                        self._discard()
                    raise
            return self._published

    def _has_target_name(self) -> bool:
        """Whether the file has replaced the other one, and only a later step failed."""
        return self._temporary is not None and self._temporary.is_published

    def _drop(self) -> None:
        with translate_os_errors():
            self._discard()

    def _discard(self) -> None:
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            temporary.discard()

    def _opened(self) -> Temporary:
        if self._temporary is None:
            self._temporary = put_in_parent(self._root, self._relative, self._made_in, fsync=self._fsync)
        return self._temporary

    def _made_in(self, directory: Descriptor, name: str) -> Temporary:
        self._replaced = check_target(directory.number, name, is_new=self._args.if_not_exists)
        return Temporary(directory, _DEFAULT_MODE if self._replaced is None else _PRIVATE_MODE)

    def _write(self, temporary: Temporary, offset: int, content: Content) -> None:
        for part in content:
            self._revocable.check_wanted()
            write_all(temporary.descriptor, part, offset)
            offset += len(part)

    def _publish(self, offset: int, content: Content) -> Metadata:
        temporary = self._opened()
        if not temporary.is_published:
            if offset:  # the target may have changed since the first buffer
                self._replaced = check_target(temporary.directory, self._name, is_new=self._args.if_not_exists)
            self._write(temporary, offset, content)
            self._finish(temporary.descriptor)
            self._revocable.check_wanted()
            temporary.publish(self._name, is_new=self._args.if_not_exists)
        if self._fsync:
            sync_directory(temporary.directory)
        metadata = self._describe(temporary.descriptor)  # not earlier: renaming changes the etag
        self._discard()
        return metadata

    def _describe(self, descriptor: int) -> Metadata:
        """The metadata of the new file, which has the user metadata that it was given, if any."""
        return describe_open(descriptor) if self._args.user_metadata else describe(os.fstat(descriptor), descriptor)

    def _finish(self, descriptor: int) -> None:
        set_user_metadata(descriptor, self._args.user_metadata or {})
        if self._replaced is not None:
            give_permissions(descriptor, self._replaced, keeps_owner=True)
        if self._fsync:
            os.fsync(descriptor)
        check_close(descriptor)
