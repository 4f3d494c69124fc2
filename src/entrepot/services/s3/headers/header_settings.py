"""The settings that become headers of requests: encryption, storage class, ACL, lock, owner and payer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid

from .encryption import Encryption, customer_encryption, is_customer_mode, managed_encryption
from .fixed_headers import LOCK_MODES, FixedHeaders
from .private_keys import check_is_private

if TYPE_CHECKING:
    from entrepot.raw.http.transport import Header
    from entrepot.services.s3.config import S3

_TEXTS: Final = (
    "server_side_encryption_aws_kms_key_id",
    "default_storage_class",
    "default_acl",
    "expected_bucket_owner",
)
"""The settings that are sent as they are."""


def fixed_headers(config: S3) -> FixedHeaders:
    """The headers that a configuration adds to requests.

    Raises:
        ConfigInvalid: a value cannot be a header, or values contradict each other. No part of the error is a secret.
    """
    for name in _TEXTS:
        value = getattr(config, name) or ""
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ConfigInvalid(f"{name} must be printable ASCII text without blanks")
    mode = config.object_lock_mode.upper()
    if mode not in LOCK_MODES:
        raise ConfigInvalid(f"object_lock_mode must be one of {', '.join(map(repr, LOCK_MODES))}")
    encryption = _encryption(config)
    return FixedHeaders(
        tuple(_of_every_request(config)),
        encryption,
        config.default_storage_class or None,
        config.default_acl or None,
        mode,
    )


def _of_every_request(config: S3) -> list[Header]:
    headers: list[Header] = []
    if config.enable_request_payer:
        headers.append(("x-amz-request-payer", "requester"))
    if config.expected_bucket_owner:
        headers.append(("x-amz-expected-bucket-owner", config.expected_bucket_owner))
    return headers


def _encryption(config: S3) -> Encryption:
    mode, key = config.server_side_encryption, config.server_side_encryption_customer_key
    if is_customer_mode(mode) and not key:
        raise ConfigInvalid("server_side_encryption 'sse-c' needs server_side_encryption_customer_key")
    kms = (
        config.server_side_encryption_aws_kms_key_id,
        config.server_side_encryption_context,
        config.server_side_encryption_bucket_key_enabled,
    )
    if not key:
        return managed_encryption(mode, *kms)
    if (mode and not is_customer_mode(mode)) or any(value is not None for value in kms):
        raise ConfigInvalid("server_side_encryption_customer_key excludes the other encryptions: leave out one")
    check_is_private(config.endpoint or "")
    return customer_encryption(
        config.server_side_encryption_customer_algorithm, key, config.server_side_encryption_customer_key_md5
    )
