"""The errors of entrepot, as one tree.

Every error that entrepot raises is an `Error`. Most are a built-in exception too, so that code
written against the standard library keeps working (`except FileNotFoundError` catches `NotFound`):

    Error
    ├── ConfigInvalid        ValueError             the configuration cannot work
    ├── InvalidInput         ValueError             an argument cannot work
    ├── IsSameFile           ValueError             source and target of a copy or rename are the same
    ├── RangeNotSatisfied    ValueError             the range starts past the end of the object
    ├── Unsupported          io.UnsupportedOperation   the service cannot do this
    ├── NotFound             FileNotFoundError
    ├── AlreadyExists        FileExistsError
    ├── PermissionDenied     PermissionError
    ├── IsADirectory         IsADirectoryError
    ├── NotADirectory        NotADirectoryError
    ├── Timeout              TimeoutError           temporary
    └── OSError
        ├── RateLimited                             temporary
        ├── ContentIncomplete                       temporary: fewer bytes than promised
        ├── ContentTruncated                        more bytes than promised
        ├── ChecksumMismatch                        the content does not have its checksum
        ├── StorageFull
        ├── ConditionNotMatch                       if_match and the other conditions; for
        │                                           if_not_exists AlreadyExists and FileExistsError too
        ├── DeletionsFailed                         some of many; temporary if each of them is
        ├── TransfersFailed                         the same for the files of a tree
        └── Unexpected                              any other error; temporary if its cause is

A temporary error may go away when the same call is made again. The fields of an error are filled in
on the way up (`add_context`) and never replaced: the code nearest to the fault knows most about it. The
exception is `operation`, which the facade sets to the call that the user made (`of_call`); layers see the
verb of a body there, such as `reader.read`.
"""

from __future__ import annotations

import errno as _errno
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from .types.transfers import TreeReport


class Error(Exception):
    """The root of the tree: one failed call.

    Arguments:
        message: a sentence for people.
        scheme: the scheme of the service, such as `"s3"`.
        operation: the operation that failed, such as `"read"`.
        path: the path of the call, relative to the operator's root.
        context: further facts by name. Never put a secret or a signed URL here.
        is_temporary: whether the same call may succeed later; by default `temporary_by_default` of the class.

    `str(error)` is the message, a hint if the error is temporary, and the known fields in brackets. It leaves out the
    kind, which tracebacks and `repr` show beside it.
    """

    kind: ClassVar[str] = "Error"
    temporary_by_default: ClassVar[bool] = False
    default_errno: ClassVar[int | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__

    def __init__(
        self,
        message: str,
        *,
        scheme: str | None = None,
        operation: str | None = None,
        path: str | None = None,
        context: dict[str, Any] | None = None,
        is_temporary: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.scheme = scheme
        self.operation = operation
        self.context = dict(context or {})
        self.is_temporary = self.temporary_by_default if is_temporary is None else is_temporary
        self.path = path
        _fill_os_fields(self)

    def add_context(
        self,
        *,
        scheme: str | None = None,
        operation: str | None = None,
        path: str | None = None,
        **context: Any,
    ) -> Self:
        """Fills the fields that are still unknown, and returns the error.

        A known field keeps its value: the code nearest to the fault knows it best.
        """
        self.scheme = self.scheme or scheme
        self.operation = self.operation or operation
        self.path = path if self.path is None else self.path
        for name, value in context.items():
            self.context.setdefault(name, value)
        _fill_os_fields(self)
        return self

    def of_call(self, operation: str, *, scheme: str, path: str) -> Self:
        """Sets the user's call that this error ends, and returns the error.

        If a URI was passed as the path, the error says what a path is.
        """
        self.operation = operation
        if "://" in path and isinstance(self, NotFound | InvalidInput):
            self.context.setdefault("hint", _NO_URI)
        return self.add_context(scheme=scheme, path=path)

    def __str__(self) -> str:
        facts = {"scheme": self.scheme, "operation": self.operation, "path": self.path}
        known = {name: value for name, value in (facts | self.context).items() if value is not None}
        where = ", ".join(f"{name}={_plain(value)!r}" for name, value in known.items())
        text = f"{self.message} ({self._hint()})" if self.is_temporary else self.message
        return f"{text} [{where}]" if where else text

    def _hint(self) -> str:
        """The hint of a temporary error. It names `RetryLayer`, unless that layer has retried already (`attempts`)."""
        return "temporary" if "attempts" in self.context else "temporary, see RetryLayer"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {**self.__dict__, "context": dict(self.context)}  # copies do not share a context
        if isinstance(self, OSError):
            state |= {"errno": self.errno, "filename": self.filename}
        return _rebuild, (type(self), self.message), state


_NO_URI = "a path is relative to the root of the operator; Operator.from_uri takes a URI"


def _plain(value: Any) -> Any:
    """The plain text of a `StrEnum` member; other values are returned as they are."""
    return str(value) if isinstance(value, str) else value


def _fill_os_fields(error: Error) -> None:
    if isinstance(error, OSError):
        error.errno = error.default_errno if error.errno is None else error.errno
        error.filename = error.path if error.filename is None else error.filename


def _rebuild(cls: type[Error], message: str) -> Error:
    return cls(message)


class ConfigInvalid(Error, ValueError):
    """The configuration of a service or layer is invalid: a value is missing, unknown or contradicts another."""


class InvalidInput(Error, ValueError):
    """An argument is invalid, whatever the storage holds. Nothing was sent."""


class IsSameFile(Error, ValueError):
    """Source and target of a copy or a rename are the same object."""


class RangeNotSatisfied(Error, ValueError):
    """The range starts past the end of the object."""


class Unsupported(Error, io.UnsupportedOperation):
    """The service cannot do this. Nothing was sent."""

    default_errno = _errno.EOPNOTSUPP


class NotFound(Error, FileNotFoundError):
    """The object does not exist."""

    default_errno = _errno.ENOENT


class AlreadyExists(Error, FileExistsError):
    """The object exists already."""

    default_errno = _errno.EEXIST


class PermissionDenied(Error, PermissionError):
    """The storage refuses: credentials are wrong or missing, or lack the permission.

    `refuses_credentials` is set if it is known that they are wrong, expired or missing, so that every other call with
    them fails too.
    """

    default_errno = _errno.EACCES
    refuses_credentials: bool = False


class IsADirectory(Error, IsADirectoryError):
    """A file was needed and the path names a directory."""

    default_errno = _errno.EISDIR


class NotADirectory(Error, NotADirectoryError):
    """A directory was needed and the path, or a part of it, names a file."""

    default_errno = _errno.ENOTDIR


class Timeout(Error, TimeoutError):
    """The storage did not answer in time."""

    temporary_by_default = True
    default_errno = _errno.ETIMEDOUT


class RateLimited(Error, OSError):
    """The storage asks for fewer requests."""

    temporary_by_default = True
    default_errno = _errno.EAGAIN


class StorageFull(Error, OSError):
    """The storage has no space left."""

    default_errno = _errno.ENOSPC


class ConditionNotMatch(Error, OSError):
    """A condition such as `if_match` does not hold, or the object changed during a read."""

    default_errno = _errno.ESTALE


class ObjectExists(ConditionNotMatch, AlreadyExists):
    """`if_not_exists` does not hold: the path, or the target of a copy or rename, exists.

    Services raise it. Programs catch one of its two bases; its kind is `ConditionNotMatch`.
    """

    kind = ConditionNotMatch.kind
    default_errno = _errno.EEXIST


class ContentIncomplete(Error, OSError):
    """Fewer bytes arrived than the storage promised."""

    temporary_by_default = True
    default_errno = _errno.EIO


class ContentTruncated(Error, OSError):
    """More bytes arrived than the storage promised, or bytes outside of the requested range."""

    default_errno = _errno.EIO


class ChecksumMismatch(Error, OSError):
    """The content is not the one that its checksum is of: it was damaged in the storage or on the way.

    The last bytes before the error were not handed out; earlier ones may be the damaged ones. Read from the start.
    """

    default_errno = _errno.EIO


class DeletionsFailed(Error, OSError):
    """Some of many deletions, or of uploads to abort, failed. The others succeeded.

    `failures` has one error for each that failed, with its `path`, and with the `version` in the context if the
    deletion named one.
    """

    default_errno = _errno.EIO
    failures: tuple[Error, ...] = ()

    @classmethod
    def of(cls, failures: Sequence[Error]) -> DeletionsFailed:
        """Makes one error from the errors of deletions, at least one."""
        error = cls(_summary("deletion", failures), is_temporary=all(failure.is_temporary for failure in failures))
        error.failures = tuple(failures)
        return error


class TransfersFailed(Error, OSError):
    """Some of the files of a tree could not be copied. The others were.

    `failures` has one error for each that failed, with the `path` of the source, and `report` what was done.
    """

    default_errno = _errno.EIO
    failures: tuple[Error, ...] = ()
    report: TreeReport

    @classmethod
    def of(cls, failures: Sequence[Error], report: TreeReport) -> TransfersFailed:
        """Makes one error from the errors of files, at least one, and from the report on the others."""
        message = _summary("transfer", failures)
        if report.untried:
            message += f"; {report.untried} more files were not tried, since the credentials are refused"
        error = cls(message, is_temporary=all(failure.is_temporary for failure in failures))
        error.failures = tuple(failures)
        error.report = report
        return error


class Unexpected(Error, OSError):
    """Any other error. `is_temporary` is set if the cause is known to pass, such as a lost connection."""

    default_errno = _errno.EIO


def _summary(what: str, failures: Sequence[Error]) -> str:
    first, count = failures[0], len(failures)
    failed = f"1 {what} failed, the one" if count == 1 else f"{count} {what}s failed, the first one"
    return f"{failed} of {first.path!r}: {first.kind}: {first.message}"


__all__ = [
    "AlreadyExists",
    "ChecksumMismatch",
    "ConditionNotMatch",
    "ConfigInvalid",
    "ContentIncomplete",
    "ContentTruncated",
    "DeletionsFailed",
    "Error",
    "InvalidInput",
    "IsADirectory",
    "IsSameFile",
    "NotADirectory",
    "NotFound",
    "PermissionDenied",
    "RangeNotSatisfied",
    "RateLimited",
    "StorageFull",
    "Timeout",
    "TransfersFailed",
    "Unexpected",
    "Unsupported",
]
