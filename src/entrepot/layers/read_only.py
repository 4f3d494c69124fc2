"""Refuses every operation that changes the storage."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from entrepot.errors import Unsupported
from entrepot.raw import (
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpPresign,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpPresign,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpWrite,
    oio,
)
from entrepot.types import Capability

_CHANGES: Final = (
    "write",
    "create_dir",
    "delete",
    "copy",
    "rename",
    "set_tags",
    "abort_upload",
    "shared_upload",
    "presign_write",
    "presign_delete",
    "presign_post",
    "presign_part",
)


@dataclass(frozen=True)
class ReadOnlyLayer(Layer):
    """Refuses with `Unsupported`, before any I/O, every operation that would change the storage.

    Refused are `write`, `create_dir`, `delete`, `copy`, `rename`, uploads in parts, and presigned requests that write
    or delete; the capability has none of them. The credentials still allow more to a program that has them. The
    service knows it too (`Context.is_read_only`), and removes nothing on its own, such as abandoned temporary files.
    """

    WORKS_WITHOUT_LOOP = True

    def wrap_context(self, context: Context) -> Context:
        return context.read_only()

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _ReadOnlyAccessor(accessor)


class _ReadOnlyAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, capability=_without_changes(inner.info.capability))

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        raise self._refused("write", path)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        raise self._refused("create_dir", path)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        raise self._refused("delete")

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        raise self._refused("copy", source)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        raise self._refused("rename", source)

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        raise self._refused("set_tags", path)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        raise self._refused("abort_upload", path)

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        raise self._refused("shared_upload", path)

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        if args.name not in {"read", "stat"}:
            raise self._refused("presign", path)
        return await self.inner.presign(path, args)

    def _refused(self, operation: str, path: str | None = None) -> Unsupported:
        message = f"the operator is read-only, and {operation} may change the storage"
        return Unsupported(message, scheme=self.info.scheme, operation=operation, path=path)


def _without_changes(capability: Capability) -> Capability:
    off: dict[str, Any] = {flag.name: flag.default for flag in fields(capability) if flag.name.startswith(_CHANGES)}
    return replace(capability, **off)
