"""Configuration of the fs service."""

from __future__ import annotations

import os  # and not pathlib, which would double the time that building takes
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri
from entrepot.raw.telemetry import Telemetry

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True)
class Fs(ServiceConfig):
    """Files of a local directory. Paths outside of it cannot be reached.

    As a URI it is `fs:///data/dir` or `file:///data/dir`.

    Arguments:
        root: the directory that paths are relative to. A relative one is made absolute when the
            configuration is made, so that a later `chdir` does not move the storage. `~` is not expanded. The directory
            need not exist: the first write makes it.
        fsync: whether each write, copy, rename and new directory is forced to the disk, file and directory, before
            the operation returns. That takes milliseconds; without it a power failure may undo it.
        abandoned_after: seconds. A listing removes an abandoned temporary file: one whose lock is free and that was
            not changed for this time. A day by default, because on some file systems locks work within one host
            only. 0 is never. In a read-only stack no file is removed.

    Raises:
        ConfigInvalid: the root is missing, empty, not valid Unicode, or contains NUL, CR or LF; or `abandoned_after` is
            negative.
    """

    SCHEME: ClassVar[str] = "fs"
    ALIASES: ClassVar[tuple[str, ...]] = ("file",)
    URI: ClassVar[str] = "fs:///some/root"
    TELEMETRY: ClassVar[Telemetry] = Telemetry(path="file.path", is_rooted=True)
    NEEDS_LOOP: ClassVar[bool] = False

    root: str
    fsync: bool = False
    abandoned_after: int = 86_400

    if TYPE_CHECKING:  # a path is taken and becomes text (`ServiceConfig`), which a field has no type for

        def __init__(
            self,
            root: str | os.PathLike[str],
            fsync: bool = False,  # noqa: FBT002 - as the field is
            abandoned_after: int = 86_400,
        ) -> None: ...

    def validate(self) -> None:
        if self.abandoned_after < 0:
            raise self.invalid("abandoned_after must be a number of seconds, or 0 for never")
        if not self.root:
            raise self.invalid("root must not be empty; the root of the file system is '/'")
        try:
            absolute = _absolute(self.root)
        except InvalidInput as error:
            reason = error.message
        except FileNotFoundError:
            reason = "it is relative to a working directory that is gone"
        else:
            object.__setattr__(self, "root", absolute)
            return
        raise self.invalid(f"root cannot be used: {reason}")  # outside of `except`: the other error names the root

    def build(self, context: Context) -> Accessor:
        return self._build(None, context)

    def builder_of_copies(self, source: ServiceConfig) -> Callable[[Context], Accessor] | None:
        """Copies from each other directory of this machine, also of another file system."""
        return partial(self._build, source.root) if isinstance(source, Fs) else None

    def _build(self, source: str | None, context: Context) -> Accessor:
        """Builds the service.

        Arguments:
            source: the root that the sources of copies are in; None is the one of this configuration.
            context: as of `build`.
        """
        from .accessor import FsAccessor

        return FsAccessor(
            context, self.root, fsync=self.fsync, abandoned_after=self.abandoned_after, source=source
        )  # fmt: skip

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are directories of this machine: always. Each still reaches only the paths in its own root."""
        return isinstance(other, Fs)

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        if uri.authority.lower() not in ("", "localhost"):
            raise cls.invalid(
                "a URI of this service names no host: write three slashes before the path, as in fs:///data"
            )
        return {"root": uri.path} if uri.path else {}


def _absolute(root: str) -> str:
    absolute = root if root.startswith("/") else f"{os.getcwd()}/{root}"  # noqa: PTH109
    named = "/".join(name for name in absolute.split("/") if name != ".")
    return normalize_root(named)[:-1] or "/"
