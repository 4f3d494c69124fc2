"""Encryption at rest, as headers of requests, pure.

The source is "Protecting data with encryption" in the Amazon S3 User Guide, and the request headers of PutObject,
GetObject, UploadPart and CopyObject in the Amazon S3 API Reference.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import Header, HttpHeaders

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

CUSTOMER: Final = "sse-c"
"""The name of the encryption with a key that the caller sends; not a value of the header."""

_KMS: Final = ("aws:kms", "aws:kms:dsse")
_MODES: Final = {mode.lower(): mode for mode in ("AES256", *_KMS, CUSTOMER)}
_SSE: Final = "x-amz-server-side-encryption"
_CUSTOMER: Final = f"{_SSE}-customer"
_CUSTOMER_MD5: Final = f"{_CUSTOMER}-key-MD5"
_SOURCE_CUSTOMER: Final = "x-amz-copy-source-server-side-encryption-customer"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class Encryption:
    """The headers by which requests name the encryption of objects. Its repr shows none of them.

    Arguments:
        new: of a request that creates an object.
        customer_key: of each request that reads or writes content or metadata of an object, with a customer's key.
        copy_source: the same for the source of a copy.
    """

    new: tuple[Header, ...] = ()
    customer_key: tuple[Header, ...] = ()
    copy_source: tuple[Header, ...] = ()

    @property
    def name(self) -> str:
        """The encryption of new objects, as the configuration names it."""
        return repr(CUSTOMER if self.customer_key else self.new[0][1])

    def is_stated(self, headers: HttpHeaders) -> bool:
        """Whether a response says that the object has this encryption. True if none is requested."""
        if self.customer_key:  # some servers state the digest twice, in one value
            return dict(self.customer_key)[_CUSTOMER_MD5] in headers.get(_CUSTOMER_MD5.lower(), "")
        return not self.new or headers.get(_SSE, "").lower() == self.new[0][1].lower()


NO_ENCRYPTION: Final = Encryption()


def managed_encryption(
    mode: str | None, kms_key_id: str | None, context: str | None, is_bucket_key: bool | None
) -> Encryption:
    """Encryption with keys of the storage or of KMS.

    Arguments:
        mode: `"AES256"`, `"aws:kms"` or `"aws:kms:dsse"`, in any case.
        kms_key_id: the id, ARN or alias of the KMS key; None is the key of the account.
        context: the encryption context, a JSON object of texts.
        is_bucket_key: whether KMS is asked for one key per bucket instead of one per object; None is the bucket's own.

    Raises:
        ConfigInvalid: the values contradict each other, or one is malformed.
    """
    name = _mode(mode)
    if name not in _KMS and (kms_key_id or context or is_bucket_key is not None):
        raise ConfigInvalid("a KMS key, context or bucket key needs server_side_encryption 'aws:kms' or 'aws:kms:dsse'")
    if name is None:
        return NO_ENCRYPTION
    headers: list[Header] = [(_SSE, name)]
    if kms_key_id:
        headers.append((f"{_SSE}-aws-kms-key-id", kms_key_id))
    if context:
        headers.append((f"{_SSE}-context", _encoded_context(context)))
    if is_bucket_key is not None:
        headers.append((f"{_SSE}-bucket-key-enabled", str(is_bucket_key).lower()))
    return Encryption(new=tuple(headers))


def customer_encryption(algorithm: str | None, key: str, key_md5: str | None) -> Encryption:
    """Encryption with a key of the caller, which the storage does not keep.

    Arguments:
        algorithm: `"AES256"`, the only one that there is; None is the same.
        key: the key, base64 of 32 bytes.
        key_md5: the MD5 of the key, base64, if the caller has it; it is computed anyway.

    Raises:
        ConfigInvalid: a value is malformed, or the MD5 is of another key. No part of the error shows the key.
    """
    if (algorithm or "AES256").upper() != "AES256":
        raise ConfigInvalid("server_side_encryption_customer_algorithm must be 'AES256'")
    raw = _decoded_key(key)
    if raw is None:
        raise ConfigInvalid(f"server_side_encryption_customer_key must be base64 of {_KEY_BYTES} bytes")
    digest = b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode()
    if key_md5 and key_md5 != digest:
        raise ConfigInvalid("server_side_encryption_customer_key_md5 is not the MD5 of the key: leave it out")
    values = {"algorithm": "AES256", "key": b64encode(raw).decode(), "key-MD5": digest}
    return Encryption(
        customer_key=tuple((f"{_CUSTOMER}-{name}", value) for name, value in values.items()),
        copy_source=tuple((f"{_SOURCE_CUSTOMER}-{name}", value) for name, value in values.items()),
    )


def is_customer_mode(mode: str | None) -> bool:
    """Whether the value of `server_side_encryption` names the encryption with a customer's key."""
    return (mode or "").lower() == CUSTOMER


def _mode(mode: str | None) -> str | None:
    """The value of the header.

    Raises:
        ConfigInvalid: there is no such encryption.
    """
    if not mode:
        return None
    if (known := _MODES.get(mode.lower())) is None:
        raise ConfigInvalid(f"server_side_encryption must be one of {', '.join(map(repr, _MODES.values()))}")
    return known


def _decoded_key(key: str) -> bytes | None:
    """The bytes of a key; None if it is not one. The error of the decoder may show it, so it ends here."""
    try:
        raw = b64decode(key, validate=True)
    except (NotBase64, ValueError):
        return None
    return raw if len(raw) == _KEY_BYTES else None


def _encoded_context(text: str) -> str:
    """The value of the header of a context: base64 of JSON."""
    try:
        context = json.loads(text)
    except ValueError:
        context = None
    if not isinstance(context, dict) or not all(isinstance(value, str) for value in context.values()):
        raise ConfigInvalid("server_side_encryption_context must be a JSON object whose values are texts")
    return b64encode(json.dumps(context, separators=(",", ":")).encode()).decode()
