"""Puts the service together from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.raw import Context, normalize_root
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.signer import RequestSigner

from .accessor import WebhdfsAccessor
from .cluster import Cluster
from .core import WebhdfsDialect, host_of

if TYPE_CHECKING:
    from .config import Webhdfs


def build(config: Webhdfs, context: Context) -> WebhdfsAccessor:
    """Builds the service. No I/O."""
    stated = {"user.name": config.user_name, "delegation": config.delegation, "doas": config.doas}
    dialect = WebhdfsDialect(config.endpoint, [(name, value) for name, value in stated.items() if value is not None])
    client = HttpClient(dialect, RequestSigner(), context.http, context.runtime, (), config.request_headers)
    datanodes = HttpClient(dialect, RequestSigner(), context.http, context.runtime)
    return WebhdfsAccessor(
        Cluster(dialect, client, datanodes),
        normalize_root(config.root),
        host_of(config.endpoint),
        lists_in_batches=not config.disable_list_batch,
    )
