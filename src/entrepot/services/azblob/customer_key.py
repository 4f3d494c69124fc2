"""Encryption with a key of the caller, as headers: "Provide an encryption key on a request to Blob Storage"."""

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import Header

_KEY_BYTES: Final = 32


def customer_key(key: str | None, key_sha256: str | None, algorithm: str | None) -> tuple[Header, ...]:
    """The headers of each request that reads or writes a blob; none without a key.

    Arguments:
        key: 32 bytes in base64.
        key_sha256: base64 of the SHA-256 of the key; None computes it.
        algorithm: `"AES256"`.

    Raises:
        ConfigInvalid: the key is not one, its hash is of another, or the algorithm is unknown.
    """
    if not key:
        if key_sha256 or algorithm:
            raise ConfigInvalid("encryption_key is missing: its hash or algorithm is set")
        return ()
    secret = _decoded(key)
    if len(secret) != _KEY_BYTES:
        raise ConfigInvalid(f"encryption_key must be base64 of {_KEY_BYTES} bytes")
    digest = b64encode(sha256(secret).digest()).decode()
    if key_sha256 and key_sha256 != digest:
        raise ConfigInvalid("encryption_key_sha256 is not the SHA-256 of encryption_key")
    if algorithm and algorithm != "AES256":
        raise ConfigInvalid("encryption_algorithm must be AES256")
    return (
        ("x-ms-encryption-key", key),
        ("x-ms-encryption-key-sha256", digest),
        ("x-ms-encryption-algorithm", "AES256"),
    )


def _decoded(key: str) -> bytes:
    try:
        return b64decode(key, validate=True)
    except ValueError:
        return b""
