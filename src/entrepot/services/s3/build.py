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
from .authentication.signer import S3Signer
from .core import S3Core
from .headers.checksum_options import checksum_to_send, is_content_checked
from .headers.header_options import fixed_headers
from .location.address import Address
from .location.buckets import zone_of
from .location.hosts import is_of_amazon
from .location.place import BucketPlace, bucket_place
from .location.placed import PlacedSigner

if TYPE_CHECKING:
    from entrepot.raw.http.correction import Correction

    from .config import S3

_EQUAL_PARTS_HOST: Final = ".r2.cloudflarestorage.com"
_SERVICE: Final = "s3"
_SERVICE_OF_DIRECTORY_BUCKETS: Final = "s3express"
"""The names of the services in signatures."""


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
        from .authentication import sessions  # 1 ms that other buckets do without

        provider = sessions.SessionProvider(client, is_read_only=context.is_read_only)
        cache = CredentialCache(provider, context.runtime, now=clock.timestamp)
        session = _signer(config, context, cache, clock, place, sessions.SESSION_TOKEN_HEADER)
        signer = PlacedSigner(place, sessions.SessionSigner(session, account))
        renewed = (
            RenewedCredentials(cache, sessions.is_of_session),
            RenewedCredentials(credentials, sessions.is_of_account),
        )
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
    token_header: str = TOKEN_HEADER,
) -> RequestSigner:
    signer = S3Signer(
        credentials,
        place.region,
        context.runtime,
        clock,
        unsigned_payload=config.unsigned_payload,
        service=_SERVICE if zone_of(config.bucket) is None else _SERVICE_OF_DIRECTORY_BUCKETS,
        token_header=token_header,
    )
    if not config.server_side_encryption_customer_key:
        return signer
    from .headers.private_keys import PrivateKeySigner

    return PrivateKeySigner(signer)


def _has_equal_parts(config: S3, host: str) -> bool:
    return host.endswith(_EQUAL_PARTS_HOST) if config.equal_parts is None else config.equal_parts
