"""`Index`: the members of one version of an archive, and `SharedIndex`, which builds one for all calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from copy import copy
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from entrepot.errors import Error
from entrepot.raw.turn import Turn
from entrepot.types import EntryMode, Metadata

if TYPE_CHECKING:
    from entrepot.raw.oio import Read
    from entrepot.raw.runtime import Runtime

    from .stored import StoredArchive
    from .tree import Tree


class AnyMember(Protocol):
    """What every format knows of a member."""

    @property
    def size(self) -> int:
        """The number of bytes of its content."""
        ...

    @property
    def modified(self) -> datetime | None:
        """When it was changed."""
        ...

    @property
    def position(self) -> int:
        """Where it is in the archive, which distinguishes it from all other members."""
        ...


M = TypeVar("M", bound=AnyMember)


class Window(NamedTuple):
    """A part of the content of a member.

    Arguments:
        start: its first byte.
        end: the byte after its last one, at most the size of the member.
        read_ahead: the most bytes to request ahead.
    """

    start: int
    end: int
    read_ahead: int | None

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.end - self.start


class Index(ABC, Generic[M]):
    """The members of one version of an archive.

    Arguments:
        archive: the object that holds the archive, pinned to that version.
        tree: the members by path.
    """

    def __init__(self, archive: StoredArchive, tree: Tree[M]) -> None:
        self.archive = archive
        self.tree = tree

    def describe(self, path: str, member: M | None) -> Metadata:
        """The metadata of a member, or of a directory.

        The etag of a file names the version of the archive and the member's place in it.
        """
        modified = None if member is None else member.modified
        if member is None or path.endswith("/"):
            return Metadata(EntryMode.DIR, last_modified=modified)
        return Metadata(
            EntryMode.FILE, content_length=member.size, etag=self._etag(member.position), last_modified=modified
        )

    def _etag(self, position: int) -> str | None:
        stored = self.archive.metadata
        tag = stored.etag or stored.version
        if tag is None:
            return None
        weak = "W/" if stored.has_weak_etag else ""
        return f'{weak}"{tag.removeprefix("W/").strip(chr(34))}-{position:x}"'

    @abstractmethod
    async def open(self, archive: StoredArchive, member: M, window: Window) -> Read:
        """Opens a body for a window of a member.

        Arguments:
            archive: the object, pinned to the version of this index.
            member: the member.
            window: the bytes.
        """


class SharedIndex(Generic[M]):
    """Builds an index when it is first needed, once for all callers of one event loop, and keeps it.

    It belongs to one runtime, and may be used from several event loops and threads. If the caller that builds is
    cancelled, the next one builds; if it fails, those that waited raise the same error.

    Arguments:
        runtime: has the lock of each event loop.
        build: builds an index of the present version.
    """

    __slots__ = ("__weakref__", "_build", "_held", "_turns")

    def __init__(self, runtime: Runtime, build: Callable[[], Awaitable[Index[M]]]) -> None:
        self._build = build
        self._turns = runtime.local(partial(Turn, runtime))
        self._held: Index[M] | None = None

    @property
    def held(self) -> Index[M] | None:
        """The index, if it was built."""
        return self._held

    async def get(self) -> Index[M]:
        """The index.

        Raises:
            Error: it cannot be built.
        """
        if self._held is not None:
            return self._held
        turn = await self._turns.get()
        failures = turn.failures
        async with turn.lock:
            if self._held is not None:
                return self._held
            if turn.failures > failures:
                raise copy(turn.failure)  # of a build that this caller waited for
            try:
                index = await self._build()
            except Error as error:
                turn.fail(error)
                raise
            self._held = index
            return index

    def forget(self, index: Index[M]) -> None:
        """Has the next call build another index, unless that has happened."""
        if self._held is index:
            self._held = None
