"""Puts the service together from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.raw import Context, normalize_root
from entrepot.signing.azure import AzureSasToken
from entrepot.signing.azure_access import access_of

from .accessor import AzblobAccessor, Presigning
from .core import AzblobCore

if TYPE_CHECKING:
    from .config import Azblob


def build(config: Azblob, context: Context) -> AzblobAccessor:
    """Builds the service. No I/O.

    Raises:
        ConfigInvalid: nothing names the account, or a key would be sent without TLS.
    """
    access = access_of(config, context)
    customer_key = config.customer_key()
    if customer_key and not access.is_private:
        raise config.invalid("encryption_key is sent over TLS only: use an endpoint with https://")
    core = AzblobCore(
        f"{access.url}/{config.container}",
        access.host,
        config.container,
        storage_class=config.default_storage_class or None,
        customer_key=customer_key,
        is_with_snapshots=config.delete_snapshots,
    )
    client = access.client(core, config, context)
    if access.credentials is None:
        presigning = Presigning.UNSIGNED
    elif isinstance(access.known, AzureSasToken) or customer_key:
        presigning = Presigning.NONE
    else:
        presigning = Presigning.SIGNED
    return AzblobAccessor(client, normalize_root(config.root), presigning, has_own_key=bool(customer_key))
