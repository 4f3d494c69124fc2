"""The fs service: files of a local directory."""

import io
import os
from dataclasses import replace
from typing import Final

from entrepot.errors import NotFound
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Context,
    OpRead,
    OpStat,
    OpWrite,
    RpRead,
    RpStat,
    RpWrite,
    normalize_root,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.os_errors import os_errors_as_ours
from entrepot.types import Capability, Metadata, Scheme

from .confined import attributes_beneath, file_system_beneath, open_beneath, open_root
from .core import check_is_regular, describe, file_path, may_misstate_size, names_directory, relative_path
from .writer import FsWriter, Replacement

CAPABILITY = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
)

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class FsAccessor(Accessor):
    """Files beneath a directory. Every call that blocks is made by the runtime, each operation in one hop."""

    def __init__(self, context: Context, root: str) -> None:
        self.info = AccessorInfo(scheme=Scheme.FS, root=normalize_root(root), native_capability=CAPABILITY)
        self._context = context
        self._root = root

    async def stat(self, path: str, args: OpStat) -> RpStat:
        relative = relative_path(path)
        metadata = await self._context.runtime.blocking(_stat, self._root, relative)
        if names_directory(path) and not metadata.is_dir:
            raise NotFound("there is no such directory, but something else of that name")
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.FileReader]:
        relative, reply = file_path(path), RpRead()

        def opener() -> tuple[io.FileIO, Metadata]:
            return _open(self._root, relative, args)

        return reply, oio.into_read_from_file(self._context.runtime, opener, args.range, reply)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, FsWriter]:
        return RpWrite(), FsWriter(self._context.runtime, Replacement(self._root, file_path(path)))


def _stat(root: str, relative: str) -> Metadata:
    with os_errors_as_ours():
        directory = open_root(root)
        try:
            attributes = attributes_beneath(directory, relative)
            metadata = describe(attributes)
            if metadata.is_file and may_misstate_size(attributes):
                return _unless_stored(metadata, file_system_beneath(directory, relative))
            return metadata
        finally:
            os.close(directory)


def _unless_stored(metadata: Metadata, file_system: os.statvfs_result) -> Metadata:
    """Without what a file that has no storage, like those of `/proc`, does not tell: only reading shows it."""
    return metadata if file_system.f_blocks else replace(metadata, content_length=None, etag=None)


def _open(root: str, relative: str, args: OpRead) -> tuple[io.FileIO, Metadata]:
    directory = open_root(root)
    try:
        check_is_regular(attributes_beneath(directory, relative))  # opening alone can do something to a device
        descriptor = open_beneath(directory, relative, _READ)
    finally:
        os.close(directory)
    try:
        return _described(descriptor, args)
    except BaseException:
        os.close(descriptor)
        raise


def _described(descriptor: int, args: OpRead) -> tuple[io.FileIO, Metadata]:
    attributes = os.fstat(descriptor)
    check_is_regular(attributes)
    metadata = describe(attributes)
    if may_misstate_size(attributes):
        metadata = replace(_unless_stored(metadata, os.fstatvfs(descriptor)), content_length=None)
    check_conditions(metadata, args)
    return io.FileIO(descriptor), metadata
