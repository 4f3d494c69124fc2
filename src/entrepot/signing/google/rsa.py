"""Signatures with the private key of a service account (RSASSA-PKCS1-v1_5 with SHA-256), by the extra `gcs`."""

from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Any, Protocol

from entrepot.errors import ConfigInvalid


class _Key(Protocol):
    def sign(self, data: bytes, padding: Any, algorithm: Any) -> bytes: ...


def sign(private_key: str, content: bytes) -> bytes:
    """The signature of content. It takes a millisecond, and longer the first time.

    Arguments:
        private_key: the key in PEM.
        content: the content.

    Raises:
        ConfigInvalid: the key cannot be read, or the extra is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        reason = "the key of a service account needs cryptography: install entrepot[gcs]"
    else:
        return _loaded(private_key).sign(content, PKCS1v15(), SHA256())
    raise ConfigInvalid(reason, operation="configure")


def encoded(content: bytes) -> str:
    """The form of bytes in a JSON Web Token: base64 for URLs, without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@lru_cache(maxsize=16)
def _loaded(private_key: str) -> _Key:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigInvalid("the private key of the service account is not an RSA key in PEM", operation="configure")
    return key
