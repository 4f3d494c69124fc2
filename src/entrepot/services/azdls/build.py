"""Puts the service together from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.raw import Context, normalize_root
from entrepot.signing.azure import AzureSasToken
from entrepot.signing.azure_access import access_of

from .accessor import AzdlsAccessor
from .core import AzdlsCore

if TYPE_CHECKING:
    from .config import Azdls


def build(config: Azdls, context: Context) -> AzdlsAccessor:
    """Builds the service. No I/O.

    Raises:
        ConfigInvalid: nothing names the account.
    """
    access = access_of(config, context)
    core = AzdlsCore(f"{access.url}/{config.filesystem}", access.host, config.filesystem)
    client = access.client(core, config, context)
    can_presign = access.credentials is not None and not isinstance(access.known, AzureSasToken)
    return AzdlsAccessor(client, normalize_root(config.root), can_presign=can_presign)
