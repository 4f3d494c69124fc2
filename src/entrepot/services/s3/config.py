"""Configuration of the s3 service."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from entrepot.errors import ConfigInvalid
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.config import ServiceUri, fields_by_key
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.raw.telemetry import Telemetry

from .foreign_keys import understood
from .headers.checksum_settings import check_checksums, checksum_to_send, is_content_checked
from .headers.fixed_headers import GOVERNANCE
from .headers.header_settings import fixed_headers
from .location.address import Settings, address_of, endpoint_of, region_of_host
from .location.buckets import check_bucket, zone_of
from .location.hosts import amazon_host, is_of_amazon
from .location.uris import options_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from entrepot.raw.http.correction import Correction
    from entrepot.raw.http.signer import RequestSigner
    from entrepot.signing import CredentialCache, Credentials, Provider
    from entrepot.signing.clock import Clock

    from .location.place import BucketPlace

    Source = Credentials | Provider[Credentials] | Callable[[], Credentials | Awaitable[Credentials]]
else:
    Source = object  # checked by `check_source`

_CONTROL: Final = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_EQUAL_PARTS_HOST: Final = ".r2.cloudflarestorage.com"
_CREDENTIALS: Final = ("access_key_id", "secret_access_key", "session_token")
_OF_ROLE: Final = (
    "role_arn",
    "role_session_name",
    "external_id",
    "assume_role_duration_seconds",
    "assume_role_session_tags",
)


@dataclass(frozen=True, repr=False)
class S3(HttpServiceConfig):
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
        enable_virtual_host_style: put the bucket in the host name (True) or in the path (False). By default in the host
            name at Amazon, if the name of the bucket can be part of one, and in the path at an endpoint.
        use_dualstack_endpoint: use the endpoint of Amazon that has IPv6 addresses too. The default of this and of the
            next three is what the environment and the profile say, or else False; of `use_arn_region` True.
        use_fips_endpoint: use the endpoint of Amazon that is validated for FIPS 140.
        use_accelerate_endpoint: use S3 Transfer Acceleration, which the bucket must have enabled.
        use_arn_region: send requests about an access point to its own region if that is not `region`.
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

    bucket: str = field(default="", metadata={"aliases": ("aws_bucket", "aws_bucket_name", "bucket_name")})
    root: str = "/"
    endpoint: str | None = field(
        default=None,
        metadata={
            "aliases": ("aws_endpoint", "aws_endpoint_url", "aws_endpoint_url_s3", "endpoint_url", "endpoint_url_s3")
        },
    )
    region: str | None = field(
        default=None, metadata={"aliases": ("aws_region", "aws_default_region", "default_region")}
    )
    profile: str | None = field(default=None, metadata={"aliases": ("aws_profile",)})
    disable_config_load: bool = False
    access_key_id: str | None = field(default=None, repr=False, metadata={"aliases": ("aws_access_key_id", "username")})
    secret_access_key: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_secret_access_key", "password")}
    )
    session_token: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_session_token", "aws_token", "token")}
    )
    credentials: Source | None = field(default=None, repr=False)
    role_arn: str | None = field(default=None, metadata={"aliases": ("aws_role_arn",)})
    role_session_name: str | None = field(default=None, metadata={"aliases": ("aws_role_session_name",)})
    external_id: str | None = field(default=None, repr=False, metadata={"aliases": ("aws_external_id",)})
    assume_role_duration_seconds: int | None = None
    assume_role_session_tags: str | None = None
    disable_ec2_metadata: bool = False
    imdsv1_fallback: bool = field(default=False, metadata={"aliases": ("aws_imdsv1_fallback",)})
    skip_signature: bool = field(default=False, metadata={"aliases": ("aws_skip_signature", "allow_anonymous", "anon")})
    unsigned_payload: bool | None = field(default=None, metadata={"aliases": ("aws_unsigned_payload",)})
    checksum_algorithm: str | None = field(default=None, metadata={"aliases": ("aws_checksum_algorithm",)})
    request_checksum_calculation: str | None = field(
        default=None, metadata={"aliases": ("aws_request_checksum_calculation",)}
    )
    response_checksum_validation: str | None = field(
        default=None, metadata={"aliases": ("aws_response_checksum_validation",)}
    )
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
    equal_parts: bool | None = field(default=None, metadata={"aliases": ("aws_equal_parts",)})
    enable_virtual_host_style: bool | None = field(
        default=None, metadata={"aliases": ("virtual_hosted_style_request", "aws_virtual_hosted_style_request")}
    )
    use_dualstack_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_dualstack_endpoint",)})
    use_fips_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_fips_endpoint",)})
    use_accelerate_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_accelerate_endpoint",)})
    use_arn_region: bool | None = field(default=None, metadata={"aliases": ("aws_s3_use_arn_region",)})
    disable_list_objects_v2: bool = False

    def validate(self) -> None:
        self._check_text()
        if self.endpoint:
            self._adopt_endpoint(self.endpoint)
        check_bucket(self.bucket)
        address_of(self.bucket, self._settings())
        self._check_credentials()
        self._check_role()
        self._check_header_settings()

    def build(self, context: Context) -> Accessor:
        from entrepot.raw.http.client import HttpClient
        from entrepot.signing.clock import Clock
        from entrepot.signing.provider import CredentialCache

        from .accessor import S3Accessor
        from .authentication.credentials import credential_cache
        from .authentication.refusals import CorrectedClock, RenewedCredentials
        from .core import S3Core
        from .express import SessionProvider, SessionSigner
        from .location.placed import PlacedSigner

        clock = Clock()
        credentials = credential_cache(self, context, clock)
        place = self._place(context)
        corrections: list[Correction] = [place]
        if credentials is not None:
            corrections += RenewedCredentials(credentials), CorrectedClock(clock)
        at = place.nominal
        is_amazon, environ = is_of_amazon(at.host), {} if self.disable_config_load else os.environ
        core = S3Core(
            at.url,
            at.host,
            self.bucket,
            at.region,
            is_list_v1=self.disable_list_objects_v2,
            fixed=fixed_headers(self),
            checksum=checksum_to_send(self, environ, is_amazon=is_amazon),
            is_content_checked=is_content_checked(self, environ, is_amazon=is_amazon),
        )
        account = self._signer(context, credentials, clock, place)
        connected = context.http, context.runtime
        client = HttpClient(core, PlacedSigner(place, account), *connected, corrections, self.request_headers)
        if credentials is not None and zone_of(self.bucket) is not None:
            provider = SessionProvider(client, is_read_only=context.is_read_only)
            sessions = CredentialCache(provider, context.runtime, now=clock.timestamp)
            session = self._signer(context, sessions, clock, place, is_session=True)
            signer = PlacedSigner(place, SessionSigner(session, account))
            corrections.append(RenewedCredentials(sessions))
            client = HttpClient(core, signer, *connected, corrections, self.request_headers)
        return S3Accessor(client, normalize_root(self.root), has_equal_parts=self._has_equal_parts(at.host))

    @property
    def is_plain(self) -> bool:
        """Whether the endpoint of the configuration or the environment is without TLS."""
        if self.endpoint or self.disable_config_load:
            return super().is_plain
        from .location.environment import NO_FILES, settings_of

        return (settings_of(os.environ, NO_FILES, NO_FILES.profile()).endpoint or "").startswith("http://")

    def _place(self, context: Context) -> BucketPlace:
        from .location.place import BucketPlace

        environ = None if self.disable_config_load else os.environ
        settings, profile, http, runtime = self._settings(), self.profile or None, context.http, context.runtime
        connections = self.allow_http, self.http_settings
        key = "s3 place", self.bucket, settings, profile, self.disable_config_load, connections
        return context.shared(
            key, lambda: BucketPlace(self.bucket, settings, http, runtime, self.check_scheme, environ, profile)
        )

    def _signer(
        self,
        context: Context,
        credentials: CredentialCache[Credentials] | None,
        clock: Clock,
        place: BucketPlace,
        *,
        is_session: bool = False,
    ) -> RequestSigner:
        from entrepot.signing.aws import TOKEN_HEADER

        from .authentication.signer import S3Signer
        from .express import SERVICE, SESSION_TOKEN_HEADER
        from .headers.private_keys import PrivateKeySigner

        signer = S3Signer(
            credentials,
            lambda: place.region,
            context.runtime,
            clock,
            unsigned_payload=self.unsigned_payload,
            service="s3" if zone_of(self.bucket) is None else SERVICE,
            token_header=SESSION_TOKEN_HEADER if is_session else TOKEN_HEADER,
        )
        return PrivateKeySigner(signer) if self.server_side_encryption_customer_key else signer

    def _has_equal_parts(self, host: str) -> bool:
        return host.endswith(_EQUAL_PARTS_HOST) if self.equal_parts is None else self.equal_parts

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

        there, here = source.build(context), self.build(context)
        return here.copying_from(there) if isinstance(here, S3Accessor) and isinstance(there, S3Accessor) else here

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        known = fields_by_key(cls)
        return super().from_mapping(understood(mapping, known) if isinstance(mapping, Mapping) else mapping)

    @property
    def reads_environment(self) -> bool:
        return not self.disable_config_load

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return options_of(uri)

    def _settings(self) -> Settings:
        """What the configuration says about the address, without the environment."""
        return Settings(
            self.region or (region_of_host(self.endpoint) if self.endpoint else None),
            self.endpoint or None,
            self.enable_virtual_host_style,
            self.use_dualstack_endpoint,
            self.use_fips_endpoint,
            self.use_accelerate_endpoint,
            self.use_arn_region,
        )

    def _check_text(self) -> None:
        for name, value in self._texts():
            if _CONTROL.search(value):
                raise self.invalid(f"{name} holds a control character, such as a line feed, or is not valid Unicode")
        for name in _CREDENTIALS:
            value = getattr(self, name) or ""
            if not value.isascii() or " " in value:
                raise self.invalid(f"{name} must be ASCII text without blanks")

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name in ("bucket", "root", "endpoint", "region", "profile", *_CREDENTIALS):
            yield name, getattr(self, name) or ""

    def _adopt_endpoint(self, text: str) -> None:
        """Normalizes the endpoint to `scheme://host[:port][/prefix]`; userinfo becomes the keys."""
        try:
            endpoint = endpoint_of(text)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None
        if endpoint.username or endpoint.password:
            self._adopt_keys(endpoint.username or "", endpoint.password or "")
        self._set("endpoint", replace(endpoint, host=self._without_bucket(endpoint.host)).url)

    def _without_bucket(self, host: str) -> str:
        """The host without the bucket that an address of Amazon may begin with."""
        amazon = amazon_host(host)
        return host if amazon is None or amazon.bucket != self.bucket else host.removeprefix(f"{self.bucket}.")

    def _adopt_keys(self, access_key_id: str, secret_access_key: str) -> None:
        if self.access_key_id or self.secret_access_key:
            raise self.invalid(
                "the keys are set twice, in endpoint and as access_key_id and secret_access_key: leave out one"
            )
        self._set("access_key_id", access_key_id)
        self._set("secret_access_key", secret_access_key)
        self._check_text()

    def _check_credentials(self) -> None:
        given = [name for name in (*_CREDENTIALS, "credentials") if getattr(self, name)]
        if self.skip_signature:
            if given:
                raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
            return
        if self.credentials is not None:
            self._check_source(given)
            return
        missing = [name for name in _CREDENTIALS[:2] if name not in given]
        if missing and (given or self.disable_config_load):
            raise self.invalid(
                f"{' and '.join(missing)} is missing: set access_key_id and secret_access_key, "
                "or skip_signature=True for a public bucket"
            )

    def _check_source(self, given: list[str]) -> None:
        from entrepot.signing import Credentials
        from entrepot.signing.provider import check_source

        if len(given) > 1:
            raise self.invalid(f"credentials is set beside {', '.join(given[:-1])}: leave out one or the other")
        try:
            check_source(self.credentials, Credentials)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

    def _check_role(self) -> None:
        given = [name for name in _OF_ROLE if getattr(self, name)]
        if not given:
            return
        if self.skip_signature:
            raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
        if not self.role_arn:
            raise self.invalid(f"{', '.join(given)} is set, and role_arn is missing: set it to the ARN of the role")
        from .authentication.credentials import check_role

        try:
            check_role(self)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

    def _check_header_settings(self) -> None:
        object.__setattr__(self, "checksum_algorithm", (self.checksum_algorithm or "").lower() or None)
        try:
            check_checksums(self)
            fixed_headers(self)
        except ConfigInvalid as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)  # here, since the handled error is without the scheme

    def _set(self, name: str, value: str) -> None:
        object.__setattr__(self, name, value)
