"""A service made for tests: it has what you say it has, fails when you say so, and remembers what it was asked.

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
"""The sizes in which a synthetic service hands out its bytes, over and over."""


class Misuse(AssertionError):
    """The stack did what no service has to bear: a bug of the stack, never of its caller."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation that reached the service."""

    operation: str
    path: str
    args: Any


class Script:
    """What a synthetic service shall do, and what was done to it.

    Verbs and opens count from 1 over the life of the service: an open is the first verb of a body,
    where the service would send its request.

    Attributes:
        calls: the operations that arrived, with their arguments.
        opens: how many bodies came to their first verb.
        verbs: how many verbs of bodies were called, `close` not among them.
        open_bodies: how many bodies found their object and were not closed since.
        sizes: in which pieces bytes are handed out.
        pause: how many seconds each verb waits before it does anything.
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
        """The verb of that number raises the error and moves nothing."""
        self._failures[verb] = error

    def fail_next(self, error: Exception) -> None:
        """The next verb raises the error and moves nothing."""
        self.fail(self.verbs + 1, error)

    def end_early(self, opened: int, after: int) -> None:
        """The body of that open ends after so many bytes."""
        self._early[opened] = after

    def run_over(self, opened: int, surplus: bytes) -> None:
        """The body of that open gives more bytes after those of its range."""
        self._surplus[opened] = surplus

    def replace(self, content: bytes, *, before: int | None = None) -> None:
        """Overwrites the object, now or right before that open; it gets another etag."""
        if before is not None:
            self._replacements[before] = content
            return
        self._content = content
        self.revision += 1

    def content_over(self, original: bytes) -> bytes:
        """What the object holds now."""
        return original if self._content is None else self._content

    def record(self, operation: str, path: str, args: object) -> None:
        """Notes an operation that arrived."""
        self.calls.append(Call(operation, path, args))

    def enter_open(self) -> int:
        """Counts an open, after whatever shall happen right before it."""
        self.opens += 1
        if (content := self._replacements.pop(self.opens, None)) is not None:
            self.replace(content)
        return self.opens

    def enter_verb(self) -> None:
        """Counts a verb, or raises what it shall raise."""
        self.verbs += 1
        if (error := self._failures.pop(self.verbs, None)) is not None:
            raise error

    def bent(self, content: bytes, opened: int) -> bytes:
        """The bytes of a range as the body of that open shall give them."""
        return content[: self._early.get(opened)] + self._surplus.get(opened, b"")


@dataclass(frozen=True)
class Synthetic(ServiceConfig):
    """One object, which every path but `missing` names, behind a service with or without the native verbs.

    Arguments:
        content: the bytes of the object.
        read_can_seek: whether bodies seek natively. Those that do not give up after their first error.
        read_can_next: whether bodies have chunks of their own.
        read_with_suffix: whether the service understands a range from the end.
        read_with_if_match: whether it checks `if_match`, so that reading on can pin the object.
        tells_size: whether it says how large the object is.
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
        """What the service says of the object now."""
        size = len(self.script.content_over(self.content)) if self.tells_size else None
        return Metadata(content_length=size, etag=f'"{self.script.revision}"')

    def capability(self) -> Capability:
        """What the service has natively."""
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
    """Answers from a `Synthetic` and its script, and raises `Misuse` for what it need not bear."""

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
        reply = RpRead()

        def load() -> bytes:
            opened = script.enter_open()
            check_conditions(self._existing(path), args)
            content = script.content_over(self._config.content)
            begin, end = args.range.resolve(len(content))
            reply.metadata = self._config.metadata()
            return script.bent(content[begin:end], opened)

        return reply, SyntheticReader(self._config, self._context, load)

    def _existing(self, path: str) -> Metadata:
        if path == "missing":
            raise NotFound("there is no such object")
        return self._config.metadata()


class SyntheticReader(oio.Read):
    """Hands out the bytes in odd pieces, with the verbs that the service has."""

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
        """What every verb does first: it waits, then fails if it shall, then opens if nothing did."""
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
