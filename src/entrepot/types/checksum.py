"""`Checksum`: a digest of the content of an object, as the storage reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest of the content of an object.

    Arguments:
        algorithm: its name in lower case, such as `"crc32"`, `"crc32c"`, `"crc64nvme"`, `"sha1"` or `"sha256"`.
        value: the digest, base64 of its bytes, the most significant first.
        is_composite: whether it is the digest of the digests of the parts, and not of the content itself. The value
            then depends on the sizes of the parts.
    """

    algorithm: str
    value: str
    is_composite: bool = False
