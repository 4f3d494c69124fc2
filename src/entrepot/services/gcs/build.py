"""Puts the service together from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.raw import Context, normalize_root
from entrepot.raw.http.client import HttpClient
from entrepot.signing.clock import Clock

from .accessor import GcsAccessor
from .authentication import RenewedToken, TokenSigner, credential_cache, url_signer
from .core import GcsCore

if TYPE_CHECKING:
    from entrepot.raw.http.correction import Correction

    from .config import Gcs


def build(config: Gcs, context: Context) -> GcsAccessor:
    """Builds the service. No I/O.

    Raises:
        ConfigInvalid: the variable of the emulator is not a URL.
    """
    server = config.server
    clock = Clock()
    core = GcsCore(
        server.url, server.authority, config.bucket, config.default_storage_class or None, config.predefined_acl or None
    )
    credentials = credential_cache(config, context, clock)
    corrections: list[Correction] = [] if credentials is None else [RenewedToken(credentials)]
    signs = None if credentials is None else url_signer(config, context, credentials, clock)
    signer = TokenSigner(credentials, signs, clock)
    client = HttpClient(core, signer, context.http, context.runtime, corrections, config.request_headers)
    is_of_google = server.host.endswith(".googleapis.com")
    has_parts = is_of_google if config.xml_uploads is None else config.xml_uploads
    return GcsAccessor(client, normalize_root(config.root), has_parts=has_parts)
