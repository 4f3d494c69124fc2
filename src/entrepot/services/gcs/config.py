"""Configuration of the gcs service."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw import Accessor, Context, ServiceConfig
from entrepot.raw.config import ServiceUri, hint_of_place
from entrepot.raw.http.endpoint import DOUBLED_PLACE, Endpoint, is_loopback, parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.types.records import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from dataclasses import dataclass

    from entrepot.signing import GoogleToken, Provider

    Source = GoogleToken | Provider[GoogleToken] | Callable[[], GoogleToken | Awaitable[GoogleToken]]
else:
    from entrepot.types.records import dataclass

    Source = object  # checked by `check_source`

GOOGLE: Final = "https://storage.googleapis.com"
FULL_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
EMULATOR: Final = "STORAGE_EMULATOR_HOST"

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ACL: Final = re.compile("[a-zA-Z]+")
_CLASS: Final = re.compile("[A-Z_]+")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_EMAIL: Final = re.compile(r"[^@/\s]+@[^@/\s]+|default")
_GIVEN: Final = ("token", "credential", "credential_path", "credentials")
_WORDS_OF_GCSFS: Final = frozenset({"anon", "google_default", "cloud", "browser", "cache"})


def _named(*aliases: str, is_secret: bool = False) -> Any:
    return field(default=None, repr=not is_secret, metadata={"aliases": aliases})


@dataclass(frozen=True, repr=False)
class Gcs(HttpServiceConfig):
    """Objects in a bucket of Google Cloud Storage, or of an emulator of it.

    Requests have an OAuth 2.0 token. Where it comes from may be left to the environment, as Google's own libraries do
    (Application Default Credentials). Secrets are kept out of repr, but a pickle holds them.

    Arguments:
        bucket: the name of the bucket.
        root: the prefix that paths are relative to.
        endpoint: the URL of the server. By default the variable `STORAGE_EMULATOR_HOST`, whose server gets no
            credentials unless they are given here, and else Google's.
        scope: the OAuth 2.0 scope of tokens. By default all of Google Cloud.
        service_account: the email address of a service account. It is the one of the machine that the metadata server
            gives tokens of (by default `"default"`), and with `token` or `credentials` the one that signs URLs.
        credential: a credential of Google as JSON, or the base64 of it, such as the key of a service account. A secret.
        credential_path: the path of a file with such JSON. By default `GOOGLE_APPLICATION_CREDENTIALS`, then the file
            that `gcloud auth application-default login` writes, then the metadata server.
        predefined_acl: the predefined access control of new objects, such as `"publicRead"`. By default none is sent.
        default_storage_class: the storage class of new objects, such as `"NEARLINE"`. By default the bucket's own.
        skip_signature: send no credentials, for public buckets and emulators.
        disable_vm_metadata: do not ask the metadata server.
        disable_config_load: read nothing from the environment and from files, except `credential_path`.
        token: an OAuth 2.0 access token, which is not renewed. A secret.
        credentials: in place of the others: a `GoogleToken` of `entrepot.signing`, a function that returns one, plain
            (called in a thread) or async, or a `Provider`. It has no form as text.
        xml_uploads: send long contents in parts, several at a time, by the XML API. By default at Google's endpoint
            only. Without it, and under a condition, they are sent in chunks, one after the other.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: a value is missing or not valid, or values exclude each other. Nothing is sent.
    """

    SCHEME: ClassVar[str] = "gcs"
    ALIASES: ClassVar[tuple[str, ...]] = ("gs",)
    URI: ClassVar[str] = "gcs://bucket/some/root"
    KEY_PREFIX: ClassVar[str] = "google_"
    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset({"authorization", "content-type"})

    bucket: str = field(default="", metadata={"aliases": ("google_bucket", "google_bucket_name", "bucket_name")})
    root: str = "/"
    endpoint: str | None = _named("endpoint_url", "google_endpoint", "google_base_url")
    scope: str = FULL_SCOPE
    service_account: str | None = _named("google_service_account")
    credential: str | None = _named("service_account_key", "google_service_account_key", is_secret=True)
    credential_path: str | None = _named(
        *("google_application_credentials", "application_credentials"),
        *("service_account_path", "google_service_account_path"),
        is_secret=True,
    )
    predefined_acl: str | None = None
    default_storage_class: str | None = None
    skip_signature: bool = field(
        default=False, metadata={"aliases": ("google_skip_signature", "allow_anonymous", "anon")}
    )
    disable_vm_metadata: bool = False
    disable_config_load: bool = False
    token: str | None = _named("access_token", "google_token", is_secret=True)
    credentials: Source | None = field(default=None, repr=False)
    xml_uploads: bool | None = None

    def validate(self) -> None:
        if not _BUCKET.fullmatch(self.bucket):
            raise self.invalid(
                "bucket must be the name of a bucket: 3 to 222 of a-z, 0-9, '.', '_' and '-'"
                + hint_of_place(self.bucket)
            )
        self.check_root(self.root)
        if self.endpoint is not None:
            endpoint = self._parsed(self.endpoint)
            if endpoint.path == f"/{self.bucket}":
                raise self.invalid(DOUBLED_PLACE)
            object.__setattr__(self, "endpoint", endpoint.url)
        self._check_credentials()
        if self.predefined_acl is not None and not _ACL.fullmatch(self.predefined_acl):
            raise self.invalid("predefined_acl must be a name of the JSON API, such as 'publicRead'")
        if self.default_storage_class is not None and not _CLASS.fullmatch(self.default_storage_class):
            raise self.invalid("default_storage_class must be the name of a storage class, such as 'NEARLINE'")

    @property
    def server(self) -> Endpoint:
        """The server, by the configuration or the environment.

        Raises:
            ConfigInvalid: the variable of the emulator is not a URL.
        """
        return self._parsed(self.endpoint or self._emulator or GOOGLE)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests have no credentials."""
        is_given = any(getattr(self, name) is not None for name in _GIVEN)
        return self.skip_signature or (self.endpoint is None and bool(self._emulator) and not is_given)

    @property
    def reads_environment(self) -> bool:
        return not self.disable_config_load

    @property
    def is_plain(self) -> bool:
        return (self.endpoint or self._emulator or GOOGLE).startswith("http://")

    @property
    def works_without_loop(self) -> bool:
        """A function of the user that returns credentials may be a coroutine function."""
        return self.credentials is None and self.fits_blocking_sockets

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one bucket, at one endpoint and with the same credentials."""
        if not isinstance(other, Gcs):
            return False
        unlike = ("root", "predefined_acl", "default_storage_class", "xml_uploads")
        alike = replace(other.with_connections_of(self), **{name: getattr(self, name) for name in unlike})
        return alike == self

    def builder_of_copies(self, source: ServiceConfig) -> Callable[[Context], Accessor] | None:
        """Copies from each bucket at the same endpoint that the same credentials reach."""
        if not isinstance(source, Gcs) or not self.is_same_store(replace(source, bucket=self.bucket)):
            return None
        return partial(self._build_for_copies, source)

    def _build_for_copies(self, source: Gcs, context: Context) -> Accessor:
        from .build import build

        return build(self, context).copying_from(build(source.with_connections_of(self), context))

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"root": uri.path} | ({"bucket": uri.authority} if uri.authority else {})

    @property
    def _emulator(self) -> str | None:
        host = os.environ.get(EMULATOR) if self.reads_environment else None
        return host if not host or "://" in host else f"http://{host}"

    def _parsed(self, text: str) -> Endpoint:
        try:
            endpoint = parse_endpoint(text if "://" in text else f"https://{text}")
        except ConfigInvalid as error:
            reason = error.message
        else:
            if endpoint.username or endpoint.password:
                raise self.invalid("the endpoint has userinfo, which this service does not use: leave it out")
            return endpoint
        raise self.invalid(reason)

    def _check_credentials(self) -> None:
        given = [name for name in _GIVEN if getattr(self, name) is not None]
        if self.skip_signature and given:
            raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
        if len(given) > 1:
            raise self.invalid(f"{' and '.join(given)} are set: leave out all but one")
        if self.token in _WORDS_OF_GCSFS:
            raise self.invalid(
                "token is an access token: set skip_signature=True for none, or leave it out for default"
            )
        if self.token is not None and not _VISIBLE.fullmatch(self.token):
            raise self.invalid("token is empty, or has characters that no header can have")
        if self.service_account is not None and not _EMAIL.fullmatch(self.service_account):
            raise self.invalid("service_account must be an email address: a file with a key is credential_path")
        if self.credential_path is not None and (not self.credential_path or "\0" in self.credential_path):
            raise self.invalid("credential_path must be the path of a file, and is empty or has a null byte")
        if self.credential is not None or self.credentials is not None:
            self._check_given()
        is_open = self.is_plain and not is_loopback(self.server.host)
        if is_open and not self.is_anonymous:
            raise self.invalid(
                "credentials are sent over https, or to this machine, only: set skip_signature=True for an emulator"
            )

    def _check_given(self) -> None:
        from .authentication import check_given

        try:
            check_given(self)
        except ConfigInvalid as error:
            reason = error.message
        else:
            return
        raise self.invalid(reason)
