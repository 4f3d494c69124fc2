"""Puts the service together from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.raw import Context
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.redirects import FollowingTransport
from entrepot.raw.http.signer import RequestSigner
from entrepot.signing.basic import bearer_signer
from entrepot.signing.digest import DigestSigner

from .accessor import WebdavAccessor, WebdavClient
from .core import SAFE_METHODS, WebdavDialect

if TYPE_CHECKING:
    from .config import Webdav


def build(config: Webdav, context: Context) -> WebdavAccessor:
    """Builds the service. No I/O."""
    headers = config.request_headers
    http = FollowingTransport(context.http, SAFE_METHODS, frozenset(name.lower() for name, _ in headers))
    signer = _signer(config)
    corrections = (signer,) if isinstance(signer, DigestSigner) else ()
    dialect = WebdavDialect(config.endpoint, config.user_metadata_uri, config.user_metadata_prefix)
    return WebdavAccessor(
        WebdavClient(dialect, signer, http, context.runtime, corrections, headers),
        config.parsed_root(),
        parse_endpoint(config.endpoint).host,
        is_direct=not config.atomic_write,
        makes_parents=not config.disable_create_dir,
        reads_conditionally=config.enable_conditional_read,
    )


def _signer(config: Webdav) -> RequestSigner:
    if config.token is not None:
        return bearer_signer(config.token)
    if not config.username and not config.password:
        return RequestSigner()
    return DigestSigner(config.username or "", config.password or "", starts_with_basic=not config.disable_basic)
