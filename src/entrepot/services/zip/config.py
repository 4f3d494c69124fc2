"""Configuration of the zip service."""

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
class Zip(CompositeConfig):
    """Members of a zip archive that is an object of another storage, for reading.

    As a URI it is a chain: `zip://some/root::s3://bucket/dir/a.zip?region=r`.

    Arguments:
        source: the storage of the archive: an operator, a configuration such as `S3(...)`, or a URI.
        path: the archive in it.
        root: the directory of the archive that paths are relative to.
        encoding: the encoding of names that are not marked as UTF-8. By default UTF-8 where the archive is from Unix or
            macOS and the name can be read so, and otherwise cp437, as the format says.
        max_directory_size: the most bytes of the central directory, which is kept in memory. By default 256 MiB, about
            two million members.

    Raises:
        ConfigInvalid: the path names a directory; the root or the path is not valid Unicode text without NUL, CR and
            LF; the encoding is unknown; or `max_directory_size` is not positive.
    """

    SCHEME: ClassVar[str] = "zip"
    URI: ClassVar[str] = "zip:///some/root::s3://bucket/a.zip"

    encoding: str | None = None
    max_directory_size: int = 256 * 1024 * 1024

    def validate(self) -> None:
        super().validate()
        if self.max_directory_size <= 0:
            raise self.invalid("max_directory_size must be a positive number of bytes")
        if self.encoding is not None and not is_encoding(self.encoding):
            raise self.invalid("encoding is not the name of an encoding")

    def build(self, context: Context) -> Accessor:
        from .core import accessor_of

        return accessor_of(self, context)
