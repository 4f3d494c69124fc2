"""Lets a program write metadata that a service cannot store: it is kept as user metadata, or dropped.

Theory of operation. A service that stores user metadata, as fs does in extended attributes, can hold any other text
about an object as well. So the headers that it lacks are user metadata under reserved names. They are written, copied,
renamed, replaced and deleted together with the object, in the same step as its content, so that no crash separates
them. Files beside the object could be separated, would show in listings, and would need a second request each.

The names are taken out of every metadata that passes up: of `stat`, of the response of a read, of a listing, and of
what a write or a copy returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, TypeVarTuple, cast

from entrepot.errors import InvalidInput, Unsupported
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    OpCopy,
    Operation,
    OpRead,
    OpWrite,
    RpCopy,
    RpRead,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.derived_response import DerivedResponse, change_metadata
from entrepot.types import Entry, Metadata
from entrepot.types.shown import shown

T = TypeVar("T")
Args = TypeVarTuple("Args")

_HEADERS: Final = ("content_type", "content_disposition", "content_encoding", "content_language", "cache_control")
_DROPPABLE: Final = (*_HEADERS, "user_metadata", "tags", "storage_class", "acl")
_PREFIX: Final = "entrepot-"


@dataclass(frozen=True)
class MetadataFallbackLayer(Layer):
    """Keeps metadata that the service cannot store as user metadata, or drops it, so that such a write succeeds.

    It is for one program over several services: S3 in production and fs in development. A service that can store an
    option gets it unchanged. Conditions (`if_match`), locks (`retain_until`, `legal_hold`) and `append` change what a
    write does, so they are never dropped. An append and a copy within the storage cannot change what is kept of an
    existing object: there, too, an option is either dropped or refused.

    Arguments:
        keep: whether `content_type`, `content_disposition`, `content_encoding`, `content_language` and `cache_control`
            are kept as user metadata, under names such as `entrepot-content-type`, where the service has user metadata.
        drop: the options that are ignored where the service lacks them and they are not kept, in writes and copies:
            names among those five, `user_metadata`, `tags`, `storage_class` and `acl`; True means all of these.

    Raises:
        InvalidInput: `drop` has another name.
    """

    WORKS_WITHOUT_LOOP = True

    keep: bool = True
    drop: bool | Iterable[str] = False

    def __post_init__(self) -> None:
        if not isinstance(self.keep, bool):
            raise InvalidInput(f"keep must be True or False, not {shown(self.keep)}")
        object.__setattr__(self, "drop", _checked(self.drop))

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        capability = accessor.info.capability
        missing = [name for name in _HEADERS if capability.write and not getattr(capability, f"write_with_{name}")]
        kept = missing if self.keep and capability.write_with_user_metadata else []
        dropped = cast("frozenset[str]", self.drop)
        is_complete = all(getattr(capability, f"{verb}_with_{name}") for name in dropped for verb in ("write", "copy"))
        return accessor if not kept and is_complete else _FallbackAccessor(accessor, kept, dropped)


class _FallbackAccessor(AroundAccessor):
    operations = frozenset({Operation.STAT, Operation.LISTER_NEXT, Operation.WRITER_CLOSE, Operation.COPIER_CLOSE})

    def __init__(self, inner: Accessor, kept: Sequence[str], dropped: Iterable[str]) -> None:
        super().__init__(inner)
        capability = inner.info.capability
        self._kept = {name: f"{_PREFIX}{name.replace('_', '-')}" for name in kept}
        not_written = [name for name in dropped if not getattr(capability, f"write_with_{name}")]
        self._not_written = [name for name in not_written if name not in kept]
        self._not_appended = not_written
        self._not_copied = [name for name in dropped if not getattr(capability, f"copy_with_{name}")]
        has: dict[str, Any] = {f"write_with_{name}": True for name in kept}
        if kept:
            has["copy_with_user_metadata"] = False  # the service would replace the kept headers as well
        self.info = replace(inner.info, capability=replace(capability, **has))

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        result: Any = await call(*args)
        if isinstance(result, RpStat):
            result = RpStat(metadata=self._restored(result.metadata))
        elif isinstance(result, Metadata):
            result = self._restored(result)
        elif result is not None:
            result = [Entry(entry.path, self._restored(entry.metadata)) for entry in result]
        return cast("T", result)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return self._derived(*await self.inner.read(path, args))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.inner.read_whole(path, args, described)
        if not isinstance(content, bytes):
            return self._derived(*content)
        if described is not None:
            change_metadata(described, self._restored)
        return content

    def _derived(self, response: RpRead, body: oio.Read) -> tuple[RpRead, oio.Read]:
        return DerivedResponse(response, self._restored) if self._kept else response, body

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return await super().write(path, self._written(args))

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self.inner.write_whole(path, data, self._written(args))
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else self._restored(stored)

    def _written(self, args: OpWrite) -> OpWrite:
        if args.append:
            return self._appended(_without(args, self._not_appended))
        return self._with_kept(_without(args, self._not_written))

    def _appended(self, args: OpWrite) -> OpWrite:
        """The arguments of an append, which may be to an object whose kept headers stay as they are."""
        for name in self._kept:
            if getattr(args, name) is not None:
                raise Unsupported(f"{name} cannot be kept by an append: add it to `drop`, or leave it out")
        return args

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        args = _without(args, self._not_copied)
        if self._kept and args.user_metadata is not None:
            raise Unsupported(f"{type(self).__name__} keeps headers as user metadata, which the copy would replace")
        return await super().copy(source, target, args)

    def _with_kept(self, args: OpWrite) -> OpWrite:
        """The arguments with the headers that the service lacks as user metadata."""
        user = dict(args.user_metadata or {})
        if self._kept and any(name in user for name in self._kept.values()):
            raise InvalidInput(f"names of user metadata that begin with {_PREFIX!r} are reserved by the layer")
        stated = {name: getattr(args, name) for name in self._kept}
        user |= {self._kept[name]: value for name, value in stated.items() if value is not None}
        if not user:
            return args
        changes: dict[str, Any] = {**dict.fromkeys(stated), "user_metadata": user}
        return replace(args, **changes)

    def _restored(self, metadata: Metadata) -> Metadata:
        """The metadata with the headers that were kept as user metadata, which then lacks them."""
        user = metadata.user_metadata
        found: dict[str, Any] = {name: user[key] for name, key in self._kept.items() if key in user}
        if not found:
            return metadata
        left = {name: value for name, value in user.items() if name not in self._kept.values()}
        return replace(metadata, user_metadata=left, **found)


Arguments = TypeVar("Arguments", OpWrite, OpCopy)


def _without(args: Arguments, dropped: Iterable[str]) -> Arguments:
    changes: dict[str, Any] = {name: None for name in dropped if getattr(args, name) is not None}
    return replace(args, **changes) if changes else args


def _checked(drop: object) -> frozenset[str]:
    if isinstance(drop, bool):
        return frozenset(_DROPPABLE if drop else ())
    if isinstance(drop, str) or not isinstance(drop, Iterable):
        raise InvalidInput(f"drop is True, False or several names of options, not {shown(drop)}")
    names = list(drop)
    for name in names:
        if name not in _DROPPABLE:
            raise InvalidInput(f"{shown(name)} cannot be dropped; these can: {', '.join(_DROPPABLE)}")
    return frozenset(names)
