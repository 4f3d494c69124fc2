"""A service for tests, with the capability you choose. It fails on command and records its calls.

    synthetic = Synthetic(b"content", read_can_seek=False, read_can_next=True)
    synthetic.script.fail_next(Unexpected("reset", is_temporary=True))
    op = Operator(synthetic)

One `Synthetic` is one service: every operator over it follows the same script.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, ClassVar, Final

from entrepot.errors import NotFound
from entrepot.raw import Accessor, AccessorInfo, Context, OpRead, OpStat, RpRead, RpStat, ServiceConfig, oio
from entrepot.raw.conditions import check_conditions
from entrepot.types import Capability, Metadata

ODD_SIZES: Final = (1, 3, 2, 7, 1, 13, 5)
"""The sizes of the pieces in which a synthetic service returns its bytes, repeated."""


class Misuse(AssertionError):
    """The stack broke the contract with the service: a bug of the stack, never of its caller."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation that reached the service."""

    operation: str
    path: str
    args: Any


class Script:
    """The commands to a synthetic service, and the record of its calls.

    Verbs and opens are numbered from 1 over the life of the service. An open is the first verb of a body,
    at which a real service sends its request.

    Attributes:
        calls: the operations that arrived, with their arguments.
        opens: the number of bodies that were opened by their first verb.
        verbs: the number of calls of verbs of bodies, without `close`.
        open_bodies: the number of bodies that found their object and are not closed.
        sizes: the sizes of the pieces in which bytes are returned.
        pause: seconds that each verb waits before it does anything.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.opens = 0
        self.verbs = 0
        self.open_bodies = 0
        self.sizes: tuple[int, ...] = ODD_SIZES
        self.pause = 0.0
        self.revision = 1
        self._content: bytes | None = None
        self._failures: dict[int, Exception] = {}
        self._early: dict[int, int] = {}
        self._surplus: dict[int, bytes] = {}
        self._replacements: dict[int, bytes] = {}

    def fail(self, verb: int, error: Exception) -> None:
        """Lets the verb with the number raise the error. The position does not move."""
        self._failures[verb] = error

    def fail_next(self, error: Exception) -> None:
        """Lets the next verb raise the error. The position does not move."""
        self.fail(self.verbs + 1, error)

    def end_early(self, opened: int, after: int) -> None:
        """Lets the body with the number of the open end after `after` bytes."""
        self._early[opened] = after

    def run_over(self, opened: int, surplus: bytes) -> None:
        """Lets the body with the number of the open return surplus bytes after its range."""
        self._surplus[opened] = surplus

    def replace(self, content: bytes, *, before: int | None = None) -> None:
        """Overwrites the object, now or right before the open with the number. It gets a new etag."""
        if before is not None:
            self._replacements[before] = content
            return
        self._content = content
        self.revision += 1

    def content_over(self, original: bytes) -> bytes:
        """The current content of the object."""
        return original if self._content is None else self._content

    def record(self, operation: str, path: str, args: object) -> None:
        """Records an operation that arrived."""
        self.calls.append(Call(operation, path, args))

    def enter_open(self) -> int:
        """Counts an open. A replacement of the object that is due comes first."""
        self.opens += 1
        if (content := self._replacements.pop(self.opens, None)) is not None:
            self.replace(content)
        return self.opens

    def enter_verb(self) -> None:
        """Counts a verb. Raises the error that was set for it."""
        self.verbs += 1
        if (error := self._failures.pop(self.verbs, None)) is not None:
            raise error

    def bent(self, content: bytes, opened: int) -> bytes:
        """The bytes of a range, cut or extended as was set for the open."""
        return content[: self._early.get(opened)] + self._surplus.get(opened, b"")


@dataclass(frozen=True)
class Synthetic(ServiceConfig):
    """A service with one object, which has every path except `missing`, with or without native verbs.

    Arguments:
        content: the bytes of the object.
        read_can_seek: whether bodies seek natively. A body without seek is broken after its first error.
        read_can_next: whether bodies have native chunks.
        read_with_suffix: whether the service understands a range from the end.
        read_with_if_match: whether it checks `if_match`, so that a resumed read can pin the object.
        tells_size: whether the metadata has the size of the object.
    """

    SCHEME: ClassVar[str] = "synthetic"

    content: bytes = b""
    read_can_seek: bool = True
    read_can_next: bool = True
    read_with_suffix: bool = True
    read_with_if_match: bool = True
    tells_size: bool = True
    script: Script = field(default_factory=Script, init=False, repr=False, compare=False)

    def build(self, context: Context) -> Accessor:
        return SyntheticAccessor(self, context)

    def metadata(self) -> Metadata:
        """The current metadata of the object."""
        size = len(self.script.content_over(self.content)) if self.tells_size else None
        return Metadata(content_length=size, etag=f'"{self.script.revision}"')

    def capability(self) -> Capability:
        """The native capability."""
        return Capability(
            stat=True,
            stat_with_if_match=self.read_with_if_match,
            read=True,
            read_can_seek=self.read_can_seek,
            read_can_next=self.read_can_next,
            read_with_suffix=self.read_with_suffix,
            read_with_if_match=self.read_with_if_match,
        )


class SyntheticAccessor(Accessor):
    """The operations of a `Synthetic`. Raises `Misuse` for calls that the stack must not make."""

    def __init__(self, config: Synthetic, context: Context) -> None:
        self.info = AccessorInfo(scheme=config.SCHEME, native_capability=config.capability())
        self._config = config
        self._context = context

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self._config.script.record("stat", path, args)
        check_conditions(self._existing(path), args)
        return RpStat(metadata=self._config.metadata())

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, SyntheticReader]:
        script = self._config.script
        script.record("read", path, args)
        if args.range.is_empty or (args.range.suffix is not None and not self._config.read_with_suffix):
            raise Misuse(f"the range {args.range} must not reach this service")
        response = RpRead()

        def load() -> bytes:
            opened = script.enter_open()
            check_conditions(self._existing(path), args)
            content = script.content_over(self._config.content)
            start, end = args.range.resolve(len(content))
            response.metadata = self._config.metadata()
            return script.bent(content[start:end], opened)

        return response, SyntheticReader(self._config, self._context, load)

    def _existing(self, path: str) -> Metadata:
        if path == "missing":
            raise NotFound("there is no such object")
        return self._config.metadata()


class SyntheticReader(oio.Read):
    """Returns the bytes in pieces of odd sizes, by the native verbs."""

    __slots__ = (
        "_content",
        "_context",
        "_is_broken",
        "_is_closed",
        "_load",
        "_native",
        "_position",
        "_script",
        "_sizes",
    )

    def __init__(self, config: Synthetic, context: Context, load: Callable[[], bytes]) -> None:
        self._native = config.capability()
        self._script = config.script
        self._sizes = cycle(config.script.sizes)
        self._context = context
        self._load = load
        self._content: bytes | None = None
        self._position = 0
        self._is_broken = False
        self._is_closed = False

    async def read(self, n: int) -> bytes:
        content = await self._enter()
        data = content[self._position : self._position + min(n, next(self._sizes))]
        self._position += len(data)
        return data

    async def next(self) -> bytes | None:
        if not self._native.read_can_next:
            raise Misuse("the service has no native next")
        content = await self._enter()
        data = content[self._position : self._position + next(self._sizes)]
        self._position += len(data)
        return data or None

    async def seek(self, offset: int, whence: int = 0) -> int:
        if not self._native.read_can_seek:
            raise Misuse("the service has no native seek")
        size = len(await self._enter()) if whence == 2 else None
        self._position = oio.seek_target(offset, whence, self._position, size)
        return self._position

    async def close(self) -> None:
        if not self._is_closed and self._content is not None:
            self._script.open_bodies -= 1
        self._is_closed = True
        self._content = None

    async def _enter(self) -> bytes:
        """The start of every verb: waits, raises the error that was set, and opens the body if it is the first verb."""
        if self._is_closed or self._is_broken:
            raise Misuse("a body was used after it was closed, or after an error that ended it")
        try:
            await self._context.runtime.sleep(self._script.pause)
            self._script.enter_verb()
            if self._content is None:
                self._content = self._load()
                self._script.open_bodies += 1
        except BaseException:
            self._is_broken = not self._native.read_can_seek
            raise
        return self._content
