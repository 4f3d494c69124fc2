"""Puts the service together from its configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from entrepot.raw import Context, normalize_root
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.signer import RequestSigner

from .accessor import HfAccessor
from .core import HfDialect
from .hub import Hub
from .hub_transport import HubTransport
from .repository import Repository
from .token import RenewedToken, TokenSigner, token_cache

if TYPE_CHECKING:
    from .config import Hf

ENDPOINT: Final = "https://huggingface.co"


def build(config: Hf, context: Context) -> HfAccessor:
    """Builds the service. No I/O.

    Raises:
        ConfigInvalid: an environment variable is not valid.
    """
    environ = os.environ if config.reads_environment else {}
    endpoint = config.parsed_endpoint(config.endpoint or environ.get("HF_ENDPOINT") or ENDPOINT)
    config.check_scheme(endpoint)
    dialect = HfDialect(Repository(endpoint, config.repo_type, config.repo_id, config.revision))
    tokens = token_cache(config.token, environ, context.runtime)
    private = {name.lower() for name, _ in config.request_headers}
    http = context.http
    client = HttpClient(
        dialect,
        TokenSigner(tokens, endpoint),
        HubTransport(http, private),
        context.runtime,
        (RenewedToken(tokens),),
        config.request_headers,
    )
    storage = HttpClient(Dialect(), RequestSigner(), http, context.runtime)
    held = tokens.held
    can_write = held is None or held.value is not None
    return HfAccessor(Hub(client, storage), normalize_root(config.root), can_write=can_write)
