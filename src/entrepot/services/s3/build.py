"""Puts the service together from its configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from entrepot.raw import Context, normalize_root
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.signer import RequestSigner
from entrepot.signing import CredentialCache, Credentials
from entrepot.signing.aws import TOKEN_HEADER
from entrepot.signing.clock import Clock

from .accessor import S3Accessor
from .authentication.credentials import credential_cache
from .authentication.refusals import CorrectedClock, RenewedCredentials
from .authentication.sessions import (
    SERVICE,
    SESSION_TOKEN_HEADER,
    SessionProvider,
    SessionSigner,
    is_of_account,
    is_of_session,
)
from .authentication.signer import S3Signer
from .core import S3Core
from .headers.checksum_options import checksum_to_send, is_content_checked
from .headers.header_options import fixed_headers
from .headers.private_keys import PrivateKeySigner
from .location.address import Address
from .location.buckets import zone_of
from .location.hosts import is_of_amazon
from .location.place import BucketPlace, bucket_place
from .location.placed import PlacedSigner

if TYPE_CHECKING:
    from entrepot.raw.http.correction import Correction

    from .config import S3

_EQUAL_PARTS_HOST: Final = ".r2.cloudflarestorage.com"


def build(config: S3, context: Context) -> S3Accessor:
    """Builds the service. No I/O.

    Raises:
        ConfigInvalid: the environment variables or the role to assume are not valid.
    """
    clock = Clock()
    credentials = credential_cache(config, context, clock)
    place = bucket_place(config, context)
    corrections: list[Correction] = [place]
    if credentials is not None:
        corrections += RenewedCredentials(credentials), CorrectedClock(clock)
    core = _core(config, place.nominal)
    account = _signer(config, context, credentials, clock, place)
    connected = context.http, context.runtime
    client = HttpClient(core, PlacedSigner(place, account), *connected, corrections, config.request_headers)
    if credentials is not None and zone_of(config.bucket) is not None:
        provider = SessionProvider(client, is_read_only=context.is_read_only)
        sessions = CredentialCache(provider, context.runtime, now=clock.timestamp)
        session = _signer(config, context, sessions, clock, place, is_session=True)
        signer = PlacedSigner(place, SessionSigner(session, account))
        renewed = RenewedCredentials(sessions, is_of_session), RenewedCredentials(credentials, is_of_account)
        corrections = [place, *renewed, CorrectedClock(clock)]
        client = HttpClient(core, signer, *connected, corrections, config.request_headers)
    has_equal_parts = _has_equal_parts(config, place.nominal.host)
    return S3Accessor(client, normalize_root(config.root), has_equal_parts=has_equal_parts)


def _core(config: S3, at: Address) -> S3Core:
    is_amazon, environ = is_of_amazon(at.host), os.environ if config.reads_environment else {}
    return S3Core(
        at.url,
        at.host,
        config.bucket,
        at.region,
        is_list_v1=config.disable_list_objects_v2,
        fixed=fixed_headers(config),
        checksum=checksum_to_send(config, environ, is_amazon=is_amazon),
        is_content_checked=is_content_checked(config, environ, is_amazon=is_amazon),
    )


def _signer(
    config: S3,
    context: Context,
    credentials: CredentialCache[Credentials] | None,
    clock: Clock,
    place: BucketPlace,
    *,
    is_session: bool = False,
) -> RequestSigner:
    signer = S3Signer(
        credentials,
        place.region,
        context.runtime,
        clock,
        unsigned_payload=config.unsigned_payload,
        service="s3" if zone_of(config.bucket) is None else SERVICE,
        token_header=SESSION_TOKEN_HEADER if is_session else TOKEN_HEADER,
    )
    return PrivateKeySigner(signer) if config.server_side_encryption_customer_key else signer


def _has_equal_parts(config: S3, host: str) -> bool:
    return host.endswith(_EQUAL_PARTS_HOST) if config.equal_parts is None else config.equal_parts
