"""Refuses unsupported operations and options before any I/O.

An option that changes the result is either honoured or refused, never ignored. The supported options are data
(`Capability`), and so is the check: the flag of option `if_match` of `read` is `read_with_if_match`. Hints change no
result and are not checked.
"""

from __future__ import annotations

from datetime import timedelta

from entrepot.errors import InvalidInput, IsADirectory, IsSameFile, NotADirectory, Unsupported
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    HINTS,
    MAX_EXPIRES,
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpGetTags,
    OpList,
    OpListUploads,
    OpPart,
    OpPost,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpStartUpload,
    OpStat,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpGetTags,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.layered import Coro
from entrepot.raw.path import is_dir_path
from entrepot.types import Capability
from entrepot.types.records import field_names


class CorrectnessCheckLayer(Layer):
    """Part of every stack, inside the error context. An allowed call costs no extra coroutine."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _CorrectnessCheckAccessor(accessor)


class _CorrectnessCheckAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        capability = self.info.capability
        self._can_stat, self._can_read, self._can_write = capability.stat, capability.read, capability.write
        self._refused = {operation: _refused_options(operation, capability) for operation in _DEFAULTS}

    def stat(self, path: str, args: OpStat) -> Coro[RpStat]:
        if args is not DEFAULT_STAT or not self._can_stat:
            self.check("stat", args)
        return self.inner.stat(path, args)

    def read(self, path: str, args: OpRead) -> Coro[tuple[RpRead, oio.Read]]:
        self._check_read(path, args)
        return self.inner.read(path, args)

    def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> Coro[WholeRead]:
        if args is not DEFAULT_READ or not self._can_read or path.endswith("/"):  # most reads have nothing to look for
            self._check_read(path, args)
        return self.inner.read_whole(path, args, described)

    def write(self, path: str, args: OpWrite) -> Coro[tuple[RpWrite, oio.Write]]:
        self.check("write", args)
        _check_is_file(path)
        return self.inner.write(path, args)

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        if args is not DEFAULT_WRITE or not self._can_write or path.endswith("/"):  # the same
            self.check("write", args)
            _check_is_file(path)
        return self.inner.write_whole(path, data, args)

    def create_dir(self, path: str, args: OpCreateDir) -> Coro[RpCreateDir]:
        self._require("create_dir", "create_dir")
        if not is_dir_path(path):
            raise NotADirectory("the path names a file; a directory ends with a slash")
        return self.inner.create_dir(path, args)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        self._require("delete", "delete")
        reply, body = await self.inner.delete()
        return reply, _CheckedDeleter(self, body) if self._refused["delete"] else body

    def list(self, path: str, args: OpList) -> Coro[tuple[RpList, oio.List]]:
        self.check("list", args)
        return self.inner.list(path, args)

    def copy(self, source: str, target: str, args: OpCopy) -> Coro[tuple[RpCopy, oio.Copy]]:
        self.check("copy", args)
        _check_are_files(source, target)
        if source == target and not (args.may_be_in_place or self.info.copies_from_elsewhere):
            raise IsSameFile("source and target are the same")
        return self.inner.copy(source, target, args)

    def rename(self, source: str, target: str, args: OpRename) -> Coro[RpRename]:
        self.check("rename", args)
        _check_are_files(source, target)
        if source == target and not self.info.copies_from_elsewhere:
            raise IsSameFile("source and target are the same")
        return self.inner.rename(source, target, args)

    def get_tags(self, path: str, args: OpGetTags) -> Coro[RpGetTags]:
        self._require("get_tags", "get_tags")
        _check_is_file(path)
        return self.inner.get_tags(path, args)

    def set_tags(self, path: str, args: OpSetTags) -> Coro[RpSetTags]:
        self._require("set_tags", "set_tags")
        _check_is_file(path)
        return self.inner.set_tags(path, args)

    def list_uploads(self, path: str, args: OpListUploads) -> Coro[RpListUploads]:
        self._require("list_uploads", "list_uploads")
        return self.inner.list_uploads(path, args)

    def abort_upload(self, path: str, args: OpAbortUpload) -> Coro[RpAbortUpload]:
        self._require("abort_upload", "abort_upload")
        return self.inner.abort_upload(path, args)

    def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> Coro[RpSharedUpload]:
        self._require("shared_upload", "shared_upload")
        _check_is_file(path)
        if isinstance(args.step, OpStartUpload):
            self.check("write", args.step.write)
        return self.inner.shared_upload(path, args, content)

    def presign(self, path: str, args: OpPresign) -> Coro[RpPresign]:
        _check_expires(args.expires)
        self._require("presign", "presign")
        self._require(f"presign_{args.name}", f"presign of a {args.name}")
        self._check_presigned(args)
        if not isinstance(args.operation, OpPost):  # a form may store any object below a directory
            _check_is_file(path)
        return self.inner.presign(path, args)

    def _check_presigned(self, args: OpPresign) -> None:
        """Refuses options that one request cannot express, also if the stack completes them by more requests."""
        native = self.info.native_capability
        operation = args.operation.write if isinstance(args.operation, OpPost) else args.operation
        name = "write" if isinstance(args.operation, OpPost) else args.name
        options = () if isinstance(operation, OpPart) else _refused_options(name, native)
        for option, default in options:
            if getattr(operation, option) != default:
                raise Unsupported(f"the service {self.info.scheme} has no presign of a {args.name} with {option}")
        if isinstance(args.operation, OpRead):
            if args.operation.range.is_empty:
                raise InvalidInput("an empty range cannot be presigned")
            if args.operation.range.suffix is not None and not native.read_with_suffix:
                raise Unsupported(f"the service {self.info.scheme} has no presign of a read of a suffix")

    def _check_read(self, path: str, args: OpRead) -> None:
        self.check("read", args)
        if args.range.suffix is not None:
            self._require("read_with_suffix", "read of a suffix")
        _check_is_file(path)

    def check(self, operation: str, args: Arguments) -> None:
        """Refuses an operation, or an option of it, that the service does not support."""
        self._require(operation, operation)
        if args is _DEFAULTS[operation]:  # the common case; some services lack many options
            return
        for option, default in self._refused[operation]:
            if getattr(args, option) != default:
                self._require(f"{operation}_with_{option}", f"{operation} with {option}")

    def _require(self, flag: str, what: str) -> None:
        if not getattr(self.info.capability, flag):
            raise Unsupported(f"the service {self.info.scheme} has no {what}")


class _CheckedDeleter(oio.Delete):
    """Refuses deletions with options that the service does not support."""

    def __init__(self, checker: _CorrectnessCheckAccessor, inner: oio.Delete) -> None:
        self._checker = checker
        self._inner = inner

    def delete(self, path: str, args: OpDelete) -> Coro[None]:
        self._checker.check("delete", args)
        return self._inner.delete(path, args)

    def close(self) -> Coro[None]:
        return self._inner.close()


Arguments = OpStat | OpRead | OpWrite | OpDelete | OpList | OpCopy | OpRename
_DEFAULTS: dict[str, Arguments] = {
    "stat": DEFAULT_STAT,
    "read": DEFAULT_READ,
    "write": DEFAULT_WRITE,
    "delete": DEFAULT_DELETE,
    "list": DEFAULT_LIST,
    "copy": DEFAULT_COPY,
    "rename": DEFAULT_RENAME,
}
_NOT_OPTIONS = HINTS | {"range"}


def _refused_options(operation: str, capability: Capability) -> list[tuple[str, object]]:
    """The options of an operation that the service does not support, with their defaults."""
    defaults = _DEFAULTS[operation]
    return [
        (option, getattr(defaults, option))
        for option in field_names(type(defaults))
        if option not in _NOT_OPTIONS and not getattr(capability, f"{operation}_with_{option}")
    ]


def _check_expires(expires: timedelta) -> None:
    if not timedelta(seconds=1) <= expires <= MAX_EXPIRES:
        raise InvalidInput(f"a presigned request is valid for 1 second to 7 days, not {expires}")


def _check_is_file(path: str) -> None:
    if is_dir_path(path):
        raise IsADirectory("the path names a directory; a file does not end with a slash")


def _check_are_files(source: str, target: str) -> None:
    _check_is_file(source)
    if is_dir_path(target):
        raise IsADirectory("the target names a directory; a file does not end with a slash")
