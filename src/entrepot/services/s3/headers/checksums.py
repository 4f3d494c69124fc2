"""Checksums of the content of objects, pure: computed, combined, and as headers.

The source is "Checking object integrity for data uploads" in the Amazon S3 User Guide.

Theory of operation. Content is in memory before it is sent, so its checksum is an ordinary header of PutObject and
UploadPart, and never a trailer, which some servers refuse. An upload in parts declares its algorithm when it starts,
each part has its checksum, and the completion repeats all of them.

The checksum of the whole object is then one of two. A CRC can be computed from the CRCs of the parts and their sizes
(`whole_checksum`), so it is that of the content itself (FULL_OBJECT), and a read of the whole object can be compared
with it. A SHA cannot: its checksum is the digest of the digests of the parts (COMPOSITE), and depends on their sizes.
Content-MD5 is not one of these checksums: the storage compares it with the content and does not keep it.

Combining works with polynomials over GF(2), whose coefficients are the bits of an integer, the constant term at the top
bit. Appending n bytes to content multiplies its CRC by x^(8n), modulo the polynomial of the CRC; then the CRC of these
bytes is added. The powers are kept, since most parts have one size.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, Protocol
from zlib import crc32

from entrepot.errors import ChecksumMismatch, ConfigInvalid
from entrepot.raw.http.transport import Content, Header, HttpHeaders
from entrepot.raw.oio import Part
from entrepot.types import Checksum
from entrepot.types.patterns import pattern

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_PREFIX: Final = "x-amz-checksum-"
TYPE: Final = "x-amz-checksum-type"
MODE: Final[Header] = ("x-amz-checksum-mode", "ENABLED")
"""The header that requests the checksums of an object."""

_OF_PARTS: Final = pattern(r'-[0-9]+"?$')
COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"


class Digest(Protocol):
    """A digest that is being computed, as in `hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Adds content."""

    def digest(self) -> bytes:
        """The digest of the content so far."""
        ...


@dataclass(frozen=True, slots=True)
class Crc:
    """A cyclic redundancy check whose register starts and ends inverted.

    Attributes:
        compute: the function that continues a CRC over more content; it may import a library.
        polynomial: the polynomial, its highest term left out, its constant term at the top bit.
        bits: the bits of the CRC.
    """

    compute: Callable[[], Callable[[Any, int], int]]
    polynomial: int
    bits: int


class _CrcDigest:
    """A CRC as a `Digest`."""

    __slots__ = ("_bits", "_compute", "_value")

    def __init__(self, crc: Crc) -> None:
        self._compute = crc.compute()
        self._bits = crc.bits
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._bits // 8)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A checksum algorithm of S3.

    Arguments:
        name: its name in the configuration and in `Checksum`.
        begin: starts a digest.
        crc: the CRC that it is, so that checksums of parts can be combined; None for another digest.
        is_kept: whether the storage keeps the checksum with the object.
    """

    name: str
    begin: Callable[[], Digest]
    crc: Crc | None = None
    is_kept: bool = True

    @property
    def header(self) -> str:
        """The name of its header."""
        return _PREFIX + self.name if self.is_kept else "Content-MD5"

    @property
    def element(self) -> str:
        """The name of its element in a document."""
        return f"Checksum{self.name.upper()}"

    @property
    def whole(self) -> str:
        """The type of the checksum of an object in parts."""
        return COMPOSITE if self.crc is None else FULL_OBJECT

    def of(self, content: Content) -> str:
        """The checksum of content, base64."""
        digest = self.begin()
        for piece in content if isinstance(content, tuple) else (content,):
            digest.update(piece)
        return _base64(digest.digest())


def _from_awscrt(name: str) -> Callable[[Any, int], int]:
    """A function of the AWS Common Runtime.

    Raises:
        ConfigInvalid: it is not installed.
    """
    try:
        from awscrt import checksums
    except ImportError:
        reason = f"the checksum algorithm {name!r} needs awscrt: install entrepot[checksums], or choose 'crc32'"
    else:
        function: Callable[[Any, int], int] = getattr(checksums, name)
        return function
    raise ConfigInvalid(reason)


def _crc(name: str, compute: Callable[[], Callable[[Any, int], int]], polynomial: int, bits: int) -> Algorithm:
    crc = Crc(compute, polynomial, bits)
    return Algorithm(name, partial(_CrcDigest, crc), crc)


MD5: Final = Algorithm("md5", partial(hashlib.md5, usedforsecurity=False), is_kept=False)
CRC32: Final = _crc("crc32", lambda: crc32, 0xEDB88320, 32)
ALGORITHMS: Final = {
    algorithm.name: algorithm
    for algorithm in (
        CRC32,
        _crc("crc32c", partial(_from_awscrt, "crc32c"), 0x82F63B78, 32),
        _crc("crc64nvme", partial(_from_awscrt, "crc64nvme"), 0x9A6C9329AC4BC9B5, 64),
        Algorithm("sha1", partial(hashlib.sha1, usedforsecurity=False)),
        Algorithm("sha256", hashlib.sha256),
        MD5,
    )
}
"""The algorithms by name."""

_KEPT: Final = tuple(algorithm for algorithm in ALGORITHMS.values() if algorithm.is_kept)
_KEPT_NAMES: Final = frozenset(algorithm.header for algorithm in _KEPT)


def declared(algorithm: Algorithm | None) -> list[Header]:
    """The headers by which a new upload in parts names its algorithm."""
    if algorithm is None or not algorithm.is_kept:
        return []
    return [("x-amz-checksum-algorithm", algorithm.name.upper()), (TYPE, algorithm.whole)]


def whole_checksum(algorithm: Algorithm, parts: Sequence[Part]) -> Checksum | None:
    """The checksum of the object that consists of these parts; None if one of them has no checksum."""
    digests = [b64decode(part.checksum) for part in parts if part.checksum is not None]
    if not digests or len(digests) != len(parts):
        return None
    crc = algorithm.crc
    if crc is None:
        joint = algorithm.begin()
        joint.update(b"".join(digests))
        return Checksum(algorithm.name, f"{_base64(joint.digest())}-{len(parts)}", is_composite=True)
    value = 0
    for digest, part in zip(digests, parts, strict=True):
        value = combined(crc, value, int.from_bytes(digest), part.size)
    return Checksum(algorithm.name, _base64(value.to_bytes(crc.bits // 8)))


def completing(algorithm: Algorithm | None, parts: Sequence[Part]) -> Iterator[Header]:
    """The headers of the completion of an upload in parts that state its checksum."""
    whole = None if algorithm is None else whole_checksum(algorithm, parts)
    if algorithm is None or whole is None:
        return
    yield TYPE, algorithm.whole
    if not whole.is_composite:
        yield algorithm.header, whole.value


def stated_checksums(headers: HttpHeaders) -> tuple[Checksum, ...]:
    """The checksums in the headers of a response.

    Without a type, those of an object in parts, whose etag ends in their number, are taken as composite.
    """
    if _KEPT_NAMES.isdisjoint(headers):  # of most responses
        return ()
    stated = headers.get(TYPE)
    is_composite = stated == COMPOSITE or (stated is None and _OF_PARTS.search(headers.get("etag", "")) is not None)
    return tuple(
        Checksum(algorithm.name, value, is_composite or "-" in value)
        for algorithm in _KEPT
        if (value := headers.get(algorithm.header)) and value.isascii()
    )


class ContentCheck:
    """Compares content with its checksum as it arrives.

    Arguments:
        checksum: the checksum of the whole content.
        digest: the digest to update with it.
    """

    __slots__ = ("_checksum", "_digest", "update")

    def __init__(self, checksum: Checksum, digest: Digest) -> None:
        self._checksum = checksum
        self._digest = digest
        self.update = digest.update

    def finish(self) -> None:
        """Compares, at the end of the content.

        Raises:
            ChecksumMismatch: the content has another checksum.
        """
        if not compare_digest(_base64(self._digest.digest()), self._checksum.value):
            name = self._checksum.algorithm
            raise ChecksumMismatch(f"the content does not have the {name} checksum that the storage states")


def content_check(headers: HttpHeaders) -> ContentCheck | None:
    """The check of the content of a response; None if it states no checksum of it, or none that is known here."""
    for checksum in stated_checksums(headers):
        if not checksum.is_composite:
            try:
                return ContentCheck(checksum, ALGORITHMS[checksum.algorithm].begin())
            except ConfigInvalid:  # awscrt is not installed
                continue
    return None


def combined(crc: Crc, first: int, second: int, size: int) -> int:
    """The CRC of content, from the CRC of its start and the CRC of the `size` bytes of its end."""
    return _multiplied(_power(crc.polynomial, crc.bits, size), first, crc.polynomial, crc.bits) ^ second


@lru_cache(maxsize=256)
def _power(polynomial: int, bits: int, size: int) -> int:
    """The polynomial x^(8 * size)."""
    result, square, exponent = 1 << (bits - 1), 1 << (bits - 2), 8 * size
    while exponent:
        if exponent & 1:
            result = _multiplied(square, result, polynomial, bits)
        square = _multiplied(square, square, polynomial, bits)
        exponent >>= 1
    return result


def _multiplied(first: int, second: int, polynomial: int, bits: int) -> int:
    product = 0
    for place in range(bits - 1, -1, -1):
        if first >> place & 1:
            product ^= second
        second = (second >> 1) ^ polynomial if second & 1 else second >> 1
    return product


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
