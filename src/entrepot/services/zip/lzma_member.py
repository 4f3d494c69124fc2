"""The decoder of a member that is compressed with LZMA (APPNOTE.TXT 5.8): a header, and raw LZMA after it."""

from __future__ import annotations

from typing import Final

from entrepot.raw.archive.codecs import Decoder, raw_lzma

_HEADER: Final = 4
"""The bytes of the version and of the length of the properties."""


class LzmaMember:
    """Takes the header, whose properties the decoder needs, and then decodes."""

    __slots__ = ("_decoder", "_header")

    def __init__(self) -> None:
        self._header = b""
        self._decoder: Decoder | None = None

    @property
    def needs_input(self) -> bool:
        return self._decoder is None or self._decoder.needs_input

    @property
    def is_done(self) -> bool:
        return self._decoder is not None and self._decoder.is_done

    @property
    def may_end(self) -> bool:
        """Whether the input may end here: anywhere, since the size of the member ends it if no mark does."""
        return self._decoder is not None

    @property
    def unused(self) -> bytes:
        return b"" if self._decoder is None else self._decoder.unused

    def decode(self, data: bytes | memoryview, limit: int) -> bytes:
        if self._decoder is not None:
            return self._decoder.decode(data, limit)
        self._header += data
        properties = _HEADER + int.from_bytes(self._header[2:_HEADER], "little")
        if len(self._header) < max(_HEADER, properties):
            return b""
        self._decoder = raw_lzma(self._header[_HEADER:properties])
        return self._decoder.decode(self._header[properties:], limit)

    def copy(self) -> None:
        return None
