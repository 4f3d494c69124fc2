"""Decoders of the compressions that archives have, all with one interface.

A decoder takes compressed bytes in order and returns decoded ones, at most `limit` at a time, so that a small input
cannot fill the memory. `copy`, where there is one, makes a restart point.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Protocol, Self

from entrepot.errors import Unexpected, Unsupported

GZIP: Final = b"\x1f\x8b"
BZIP2: Final = b"BZh"
XZ: Final = b"\xfd7zXZ\0"
LZMA: Final = b"\x5d\0\0"
ZSTD: Final = b"\x28\xb5\x2f\xfd"

_DEFLATE_BITS: Final = -15
_GZIP_BITS: Final = 31
_ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd")


class Decoder(Protocol):
    """A decoder of one compressed stream."""

    @property
    def needs_input(self) -> bool:
        """Whether `decode` has nothing to return without more input."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the end of the stream was reached, so that it takes no more input."""
        ...

    @property
    def may_end(self) -> bool:
        """Whether the input may end here."""
        ...

    @property
    def unused(self) -> bytes:
        """The input after the end of the stream."""
        ...

    def decode(self, data: bytes | memoryview, limit: int) -> bytes:
        """Takes input, which may be empty, and returns up to `limit` decoded bytes.

        Raises:
            Unexpected: the input is not valid.
        """
        ...

    def copy(self) -> Decoder | None:
        """A decoder in the same state; None if this compression cannot be copied or input is pending."""
        ...


class ZlibDecoder:
    """Deflate, as it stands in zip, or with the header and the checksum of gzip.

    Arguments:
        stream: a `zlib.decompressobj`.
    """

    __slots__ = ("_pending", "_stream")

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._pending = b""

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def is_done(self) -> bool:
        return bool(self._stream.eof)

    @property
    def may_end(self) -> bool:
        return bool(self._stream.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._stream.unused_data)

    def decode(self, data: bytes | memoryview, limit: int) -> bytes:
        try:
            decoded: bytes = self._stream.decompress(self._pending + data if self._pending else data, limit)
        except zlib.error as error:
            raise _damaged() from error
        self._pending = self._stream.unconsumed_tail
        return decoded

    def copy(self) -> Self | None:
        return None if self._pending else type(self)(self._stream.copy())


class LibraryDecoder:
    """A decoder of the standard library's kind: bzip2, lzma, xz and zstd.

    Arguments:
        decompressor: has `decompress`, `eof`, `needs_input` and `unused_data`.
        failures: the errors that it raises for invalid input.
    """

    __slots__ = ("_decompressor", "_failures")

    def __init__(self, decompressor: Any, failures: type[Exception] | tuple[type[Exception], ...]) -> None:
        self._decompressor = decompressor
        self._failures = failures

    @property
    def needs_input(self) -> bool:
        return bool(self._decompressor.needs_input)

    @property
    def is_done(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def may_end(self) -> bool:
        return self.is_done

    @property
    def unused(self) -> bytes:
        return bytes(self._decompressor.unused_data)

    def decode(self, data: bytes | memoryview, limit: int) -> bytes:
        try:
            return bytes(self._decompressor.decompress(data, limit))
        except self._failures as error:
            raise _damaged() from error

    def copy(self) -> None:
        return None


class RepeatedDecoder:
    """Several streams after each other, as programs write that compress in parallel or append. Zeros may follow them.

    Arguments:
        make: makes the decoder of one stream.
    """

    __slots__ = ("_decoder", "_make", "_rest")

    def __init__(self, make: Callable[[], Decoder], decoder: Decoder | None = None) -> None:
        self._make = make
        self._decoder = decoder or make()
        self._rest = b""

    @property
    def needs_input(self) -> bool:
        return not self._rest and (self._decoder.is_done or self._decoder.needs_input)

    @property
    def is_done(self) -> bool:
        return False

    @property
    def may_end(self) -> bool:
        return self._decoder.is_done and not self._rest

    @property
    def unused(self) -> bytes:
        return b""

    def decode(self, data: bytes | memoryview, limit: int) -> bytes:
        if self._decoder.is_done:
            data = (self._rest + data).lstrip(b"\0")
            self._rest = b""
            if not data:
                return b""
            self._decoder = self._make()
        decoded = self._decoder.decode(data, limit)
        if self._decoder.is_done:
            self._rest = self._decoder.unused.lstrip(b"\0")
        return decoded

    def copy(self) -> RepeatedDecoder | None:
        decoder = None if self._rest or self._decoder.is_done else self._decoder.copy()
        return None if decoder is None else RepeatedDecoder(self._make, decoder)


def deflate() -> Decoder:
    """The decoder of deflate without a header."""
    return ZlibDecoder(zlib.decompressobj(_DEFLATE_BITS))


def gzip() -> Decoder:
    """The decoder of gzip."""
    return ZlibDecoder(zlib.decompressobj(_GZIP_BITS))


def bzip2() -> Decoder:
    """The decoder of bzip2."""
    import bz2

    return LibraryDecoder(bz2.BZ2Decompressor(), (OSError, ValueError))


def raw_lzma(properties: bytes) -> Decoder:
    """The decoder of LZMA without a header, with the five bytes of its properties (LZMA specification, "Properties").

    Raises:
        Unexpected: the properties are not valid.
    """
    import lzma

    if len(properties) != 5 or properties[0] >= 9 * 5 * 5:
        raise _damaged()
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    options = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb}
    options["dict_size"] = int.from_bytes(properties[1:], "little")
    try:
        return LibraryDecoder(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options]), lzma.LZMAError)
    except (lzma.LZMAError, ValueError) as error:
        raise _damaged() from error


def xz() -> Decoder:
    """The decoder of xz, and of the older format of lzma files."""
    import lzma

    return LibraryDecoder(lzma.LZMADecompressor(lzma.FORMAT_AUTO), lzma.LZMAError)


def zstd() -> Decoder:
    """The decoder of zstd.

    Raises:
        Unsupported: this Python has none, and the package `backports.zstd` is not installed.
    """
    for name in _ZSTD_MODULES:
        try:
            module = import_module(name)
        except ImportError:
            continue
        return LibraryDecoder(module.ZstdDecompressor(), module.ZstdError)
    raise Unsupported('zstd needs Python 3.14 or backports.zstd: pip install "entrepot[zstd]"')


def by_magic(head: bytes) -> Callable[[], Decoder] | None:
    """What makes the decoder of a compressed file that begins with these bytes; None if they are no compression's."""
    known = {GZIP: gzip, BZIP2: bzip2, XZ: xz, LZMA: xz, ZSTD: zstd}
    return next((make for magic, make in known.items() if head.startswith(magic)), None)


def _damaged() -> Unexpected:
    return Unexpected("the compressed data is damaged")
