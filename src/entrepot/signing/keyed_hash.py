"""HMAC by SHA-256 (RFC 2104) of one key, many times.

`hmac.digest` takes four times as long for a short text: it looks up the algorithm and prepares the key each time.
"""

from __future__ import annotations

import hashlib
from typing import Final

_BLOCK: Final = 64


def keyed_states(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The two states of SHA-256 in which the hash of a text begins, and the hash of that hash.

    A copy of the first takes the text, and a copy of the second the digest of the first: that is the HMAC. To copy an
    object of `hmac` takes twice the time.
    """
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))
    return inner, outer
