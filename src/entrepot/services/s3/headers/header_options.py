"""`HeaderOptions`: encryption, storage class, access control, locks, owner and payer, which become headers."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import Header
from entrepot.services.s3.location.options import LocationOptions

from .encryption import Encryption, customer_encryption, is_customer_mode, managed_encryption
from .fixed_headers import GOVERNANCE, LOCK_MODES, FixedHeaders

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_TEXTS: Final = (
    "server_side_encryption_aws_kms_key_id",
    "default_storage_class",
    "default_acl",
    "expected_bucket_owner",
)
"""The settings that are sent as they are."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class HeaderOptions(LocationOptions):
    """What the storage is told of new objects and in every request. The options are described at `S3`.

    Whether a customer's key may be sent also depends on the endpoint, which is an option of the location.
    """

    server_side_encryption: str | None = field(default=None, metadata={"aliases": ("aws_server_side_encryption",)})
    server_side_encryption_aws_kms_key_id: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_sse_kms_key_id", "sse_kms_key_id")}
    )
    server_side_encryption_context: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_sse_kms_encryption_context", "sse_kms_encryption_context")}
    )
    server_side_encryption_bucket_key_enabled: bool | None = field(
        default=None, metadata={"aliases": ("aws_sse_bucket_key_enabled", "sse_bucket_key_enabled")}
    )
    server_side_encryption_customer_algorithm: str | None = None
    server_side_encryption_customer_key: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_sse_customer_key_base64", "sse_customer_key_base64")}
    )
    server_side_encryption_customer_key_md5: str | None = field(default=None, repr=False)
    default_storage_class: str | None = field(default=None, metadata={"aliases": ("aws_default_storage_class",)})
    default_acl: str | None = field(default=None, metadata={"aliases": ("aws_default_acl",)})
    object_lock_mode: str = field(default=GOVERNANCE, metadata={"aliases": ("aws_object_lock_mode",)})
    enable_request_payer: bool = field(
        default=False, metadata={"aliases": ("aws_request_payer", "request_payer", "requester_pays")}
    )
    expected_bucket_owner: str | None = field(default=None, metadata={"aliases": ("aws_expected_bucket_owner",)})

    def validate(self) -> None:
        super().validate()
        try:
            fixed_headers(self)
        except ConfigInvalid as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)  # here, since the handled error is without the scheme


def fixed_headers(options: HeaderOptions) -> FixedHeaders:
    """The headers that the options add to requests.

    Raises:
        ConfigInvalid: a value cannot be a header, or values contradict each other. No part of the error is a secret.
    """
    for name in _TEXTS:
        value = getattr(options, name) or ""
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ConfigInvalid(f"{name} must be printable ASCII text without blanks")
    mode = options.object_lock_mode.upper()
    if mode not in LOCK_MODES:
        raise ConfigInvalid(f"object_lock_mode must be one of {', '.join(map(repr, LOCK_MODES))}")
    encryption = _encryption(options)
    return FixedHeaders(
        tuple(_of_every_request(options)),
        encryption,
        options.default_storage_class or None,
        options.default_acl or None,
        mode,
    )


def _of_every_request(options: HeaderOptions) -> list[Header]:
    headers: list[Header] = []
    if options.enable_request_payer:
        headers.append(("x-amz-request-payer", "requester"))
    if options.expected_bucket_owner:
        headers.append(("x-amz-expected-bucket-owner", options.expected_bucket_owner))
    return headers


def _encryption(options: HeaderOptions) -> Encryption:
    mode, key = options.server_side_encryption, options.server_side_encryption_customer_key
    if is_customer_mode(mode) and not key:
        raise ConfigInvalid("server_side_encryption 'sse-c' needs server_side_encryption_customer_key")
    kms = (
        options.server_side_encryption_aws_kms_key_id,
        options.server_side_encryption_context,
        options.server_side_encryption_bucket_key_enabled,
    )
    if not key:
        return managed_encryption(mode, *kms)
    if (mode and not is_customer_mode(mode)) or any(value is not None for value in kms):
        raise ConfigInvalid("server_side_encryption_customer_key excludes the other encryptions: leave out one")
    from .private_keys import check_is_private

    check_is_private(options.endpoint or "")
    return customer_encryption(
        options.server_side_encryption_customer_algorithm, key, options.server_side_encryption_customer_key_md5
    )
