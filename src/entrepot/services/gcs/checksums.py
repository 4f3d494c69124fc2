"""The CRC32C that the storage states for each object, compared with the content of whole reads.

The source is "x-goog-hash" in the reference of the Cloud Storage XML API. Needs the extra `checksums`; without it,
contents are not compared.
"""

from base64 import b64encode
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol

from entrepot.errors import ChecksumMismatch
from entrepot.raw.http.dialect import ContentCheck
from entrepot.raw.http.transport import HttpHeaders

HASH: Final = "x-goog-hash"
STORED_ENCODING: Final = "x-goog-stored-content-encoding"


class _Function(Protocol):
    def __call__(self, data: Any, previous: int, /) -> int: ...


class Crc32cCheck:
    """Compares content with its CRC32C as it arrives.

    Arguments:
        expected: the checksum that the storage states, base64.
        crc32c: returns the checksum of content, and the checksum of the content before it.
    """

    __slots__ = ("_crc32c", "_expected", "_value")

    def __init__(self, expected: str, crc32c: _Function) -> None:
        self._expected = expected
        self._crc32c = crc32c
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._crc32c(data, self._value)

    def finish(self) -> None:
        if b64encode(self._value.to_bytes(4)).decode() != self._expected:
            raise ChecksumMismatch("the content does not have the crc32c checksum that the storage states")


def content_check(headers: HttpHeaders) -> ContentCheck | None:
    """The check of a whole content; None if the response states no checksum of these bytes, or none can be made."""
    expected = stated_hash(headers).get("crc32c")
    if expected is None or not _is_as_stored(headers):
        return None
    crc32c = _crc32c()
    return None if crc32c is None else Crc32cCheck(expected, crc32c)


def stated_hash(headers: HttpHeaders) -> dict[str, str]:
    """The checksums in the headers of a response, by algorithm."""
    pairs = (pair.strip().partition("=") for pair in headers.get(HASH, "").split(","))
    return {name: value for name, _, value in pairs if value and value.isascii()}


def _is_as_stored(headers: HttpHeaders) -> bool:
    """Whether the content was not inflated on its way. The checksum is of the stored bytes."""
    return headers.get(STORED_ENCODING, "identity") in {"identity", headers.get("content-encoding")}


@cache
def _crc32c() -> _Function | None:
    try:
        function: _Function = import_module("awscrt.checksums").crc32c
    except ImportError:
        return None
    return function
