"""Configuration of the s3 service.

The options are described here, and declared and checked in the rooms that they belong to: `location/options.py`,
`authentication/options.py`, `headers/checksum_options.py` and `headers/header_options.py`. What concerns operations is
declared here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from entrepot.errors import ConfigInvalid
from entrepot.raw import Accessor, Context, ServiceConfig
from entrepot.raw.config import fields_by_key
from entrepot.raw.telemetry import Telemetry
from entrepot.types.records import replace

from .authentication.options import CredentialOptions
from .headers.checksum_options import ChecksumOptions
from .headers.header_options import HeaderOptions

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, repr=False)
class S3(HeaderOptions, ChecksumOptions, CredentialOptions):
    """Objects in a bucket of Amazon S3, or of a server that speaks its protocol.

    Requests are signed with Signature Version 4. The credentials, and where the bucket is, may be left to the
    environment and to the files of the AWS tools, as `boto3` reads them. Secrets are kept out of repr, but a pickle
    holds them.

    Arguments:
        bucket: the name of the bucket, or the ARN of an access point of one region.
        root: the prefix that paths are relative to.
        endpoint: the URL of the server, such as `"http://127.0.0.1:9000"`; without a scheme it is `https://`. By
            default `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or `endpoint_url` of the profile, and else the endpoint of
            Amazon for the region. Userinfo in it becomes the keys.
        region: the region of the bucket, such as `"eu-west-1"`. By default the one in the host of `endpoint`, then
            `AWS_REGION`, `AWS_DEFAULT_REGION` or `region` of the profile. If there is none, the first request finds it
            out at Amazon, and is signed for `"us-east-1"` at an endpoint.
        profile: the profile in `~/.aws/config` and `~/.aws/credentials`. By default `AWS_PROFILE`, or `default`.
        disable_config_load: read nothing from the environment and from files.
        enable_virtual_host_style: put the bucket in the host name (True) or in the path (False). By default in the host
            name at Amazon, if the name of the bucket can be part of one, and in the path at an endpoint.
        use_dualstack_endpoint: use the endpoint of Amazon that has IPv6 addresses too. The default of this and of the
            next three is what the environment and the profile say, or else False; of `use_arn_region` True.
        use_fips_endpoint: use the endpoint of Amazon that is validated for FIPS 140.
        use_accelerate_endpoint: use S3 Transfer Acceleration, which the bucket must have enabled.
        use_arn_region: send requests about an access point to its own region if that is not `region`.
        access_key_id: the public half of the key that signs.
        secret_access_key: the secret half.
        session_token: the token of temporary credentials.
        credentials: in place of the keys, for credentials that expire: a function that returns `Credentials` of
            `entrepot.signing`, plain (called in a thread) or async, or a `Provider`. They are loaded on first use and
            renewed before they expire, or when the server refuses them. It has no form as text.
        role_arn: a role to assume, with the credentials that the other options or the environment give (AssumeRole).
        role_session_name: the name of its sessions. By default one with the time.
        external_id: the identifier that the trust policy of the role may require.
        assume_role_duration_seconds: for how many seconds it is assumed, 900 to 43,200. By default 3,600.
        assume_role_session_tags: tags of its sessions, such as `"team=storage&stage=test"`.
        disable_ec2_metadata: do not ask the metadata service of Amazon EC2 for credentials.
        imdsv1_fallback: use the first version of that service where the second gives no token. By default not, since
            any program that can be made to fetch a URL could use it too.
        skip_signature: send requests unsigned, for public buckets. By default they are signed.
        unsigned_payload: leave the content of objects out of the signatures of the requests that write it
            (PutObject and UploadPart; "UNSIGNED-PAYLOAD" in the Amazon S3 API Reference, "Authenticating Requests
            (AWS Signature Version 4)"). Content is then not hashed, which is most of the work of an upload, and the
            server does not notice changes on the way, which TLS prevents. By default over `https` only; all content
            is signed over plain HTTP.
        checksum_algorithm: the checksum that PutObject and UploadPart send of the content: `"crc32"`, `"sha1"`,
            `"sha256"`, `"md5"` (Content-MD5), or with the extra `checksums` also `"crc32c"` and `"crc64nvme"`; `"none"`
            sends none. By default CRC32 to Amazon, and none to other servers, some of which refuse it.
        request_checksum_calculation: `"when_supported"` sends CRC32 by default to other servers too, `"when_required"`
            to none. `checksum_algorithm` takes precedence.
        response_checksum_validation: `"when_supported"` requests checksums, and compares the content of objects that
            are read as a whole with them; `"when_required"` does not. By default it is done at Amazon, and at other
            servers if `checksum_algorithm` is set.
        server_side_encryption: the encryption of new objects: `"AES256"`, `"aws:kms"`, `"aws:kms:dsse"`, or `"sse-c"`
            with a customer's key. By default the bucket's own.
        server_side_encryption_aws_kms_key_id: the id, ARN or alias of the KMS key. By default the account's key for S3.
        server_side_encryption_context: the encryption context for KMS, a JSON object of texts. By default none.
        server_side_encryption_bucket_key_enabled: whether KMS is asked for one key per bucket instead of one per
            object. By default the bucket's own setting.
        server_side_encryption_customer_key: base64 of the 32 bytes of your own key, which encrypts all objects and
            which the storage does not keep (SSE-C). It is sent over `https`, or to this machine, only.
        server_side_encryption_customer_algorithm: `"AES256"`, the only one that there is.
        server_side_encryption_customer_key_md5: base64 of the MD5 of that key. It is computed if left out.
        default_storage_class: the storage class of new objects, such as `"STANDARD_IA"`. By default the storage's own.
        default_acl: the predefined access control of new objects, such as `"bucket-owner-full-control"`. By default
            none is sent.
        object_lock_mode: the mode of the object lock of a write with `retain_until`: `"GOVERNANCE"` or `"COMPLIANCE"`.
        enable_request_payer: pay for the requests to a bucket of another owner, who requires that (Requester Pays).
        expected_bucket_owner: the id of the account that the bucket must belong to. By default it is not checked.
        equal_parts: give all parts of an upload but the last one size, which some servers require. An object then ends
            at 10,000 of the first part, so a large one needs `content_length_hint` or `chunk`. By default at
            Cloudflare R2 only; elsewhere the later parts of a large object grow.
        disable_list_objects_v2: list by the first version of ListObjects, for servers without the second.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: a value is missing or not valid, or values exclude each other. Nothing is sent.
    """

    SCHEME: ClassVar[str] = "s3"
    ALIASES: ClassVar[tuple[str, ...]] = ("s3a",)
    URI: ClassVar[str] = "s3://bucket/some/root?region=r"
    KEY_PREFIX: ClassVar[str] = "aws_"
    CA_VARIABLE: ClassVar[str] = "AWS_CA_BUNDLE"
    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset(
        {"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
    )
    TELEMETRY: ClassVar[Telemetry] = Telemetry("aws.s3.bucket", "aws.s3.key")

    equal_parts: bool | None = field(default=None, metadata={"aliases": ("aws_equal_parts",)})
    disable_list_objects_v2: bool = False

    @property
    def works_without_loop(self) -> bool:
        """A function of the user that returns credentials may be a coroutine function."""
        from entrepot.signing.aws import Credentials

        are_known = self.credentials is None or isinstance(self.credentials, Credentials)
        return are_known and self.fits_blocking_sockets

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one bucket, at one endpoint and with the same keys."""
        if not isinstance(other, S3):
            return False
        alike = replace(other.with_connections_of(self), root=self.root, unsigned_payload=self.unsigned_payload)
        unlike = ("checksum_algorithm", "request_checksum_calculation", "response_checksum_validation")
        return replace(alike, **{name: getattr(self, name) for name in unlike}) == self

    def builder_of_copies(self, source: ServiceConfig) -> Callable[[Context], Accessor] | None:
        """Copies from each bucket at the same endpoint that the same keys reach."""
        if not isinstance(source, S3):
            return None
        try:
            beside = replace(source, bucket=self.bucket)
        except ConfigInvalid:  # the settings of the source cannot address this bucket
            return None
        return partial(self._build_for_copies, source) if self.is_same_store(beside) else None

    def _build_for_copies(self, source: Self, context: Context) -> Accessor:
        from .accessor import S3Accessor

        there, here = source.with_connections_of(self).build(context), self.build(context)
        return here.copying_from(there) if isinstance(here, S3Accessor) and isinstance(there, S3Accessor) else here

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        from .foreign_keys import understood

        known = fields_by_key(cls)
        return super().from_mapping(understood(mapping, known) if isinstance(mapping, Mapping) else mapping)
