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
    from entrepot.raw.http.transport import HttpRequest

    from .config import Webhdfs


class _InQuery(RequestSigner):
    """Adds nothing: the user or the token is in the query of each request. HDFS has no access without one of them."""

    __slots__ = ()

    @property
    def is_anonymous(self) -> bool:
        return False

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest:
        return request


def build(config: Webhdfs, context: Context) -> WebhdfsAccessor:
    """Builds the service. No I/O."""
    stated = {"user.name": config.user_name, "delegation": config.delegation, "doas": config.doas}
    dialect = WebhdfsDialect(config.endpoint, [(name, value) for name, value in stated.items() if value is not None])
    client = HttpClient(dialect, _InQuery(), context.http, context.runtime, (), config.request_headers)
    datanodes = HttpClient(dialect, _InQuery(), context.http, context.runtime)
    return WebhdfsAccessor(
        Cluster(dialect, client, datanodes),
        normalize_root(config.root),
        host_of(config.endpoint),
        lists_in_batches=not config.disable_list_batch,
    )
