"""Configuration of the tar service."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from entrepot.raw import Accessor, Context
from entrepot.raw.archive.names import is_encoding
from entrepot.raw.composite import CompositeConfig

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, repr=False)
class Tar(CompositeConfig):
    """Members of a tar archive that is an object of another storage, for reading.

    The archive may be compressed with gzip, bzip2, xz, lzma or zstd; its first bytes decide, and not its name. As a
    URI it is a chain: `tar:///some/root::s3://bucket/dir/a.tar.gz?region=r`.

    Arguments:
        source: the storage of the archive: an operator, a configuration such as `S3(...)`, or a URI.
        path: the archive in it.
        root: the directory of the archive that paths are relative to.
        encoding: the encoding of names that no pax header has. By default UTF-8.
        max_members: the most members of the archive, which are kept in memory. By default two million.

    Raises:
        ConfigInvalid: the path names a directory; the root or the path is not valid Unicode text without NUL, CR and
            LF; the encoding is unknown; or `max_members` is not positive.
    """

    SCHEME: ClassVar[str] = "tar"
    URI: ClassVar[str] = "tar:///some/root::s3://bucket/a.tar"

    encoding: str = "utf-8"
    max_members: int = 2_000_000

    def validate(self) -> None:
        super().validate()
        if self.max_members <= 0:
            raise self.invalid("max_members must be a positive number")
        if not is_encoding(self.encoding):
            raise self.invalid("encoding is not the name of an encoding")

    def build(self, context: Context) -> Accessor:
        from .core import accessor_of

        return accessor_of(self, context)
