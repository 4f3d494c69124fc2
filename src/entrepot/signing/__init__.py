"""Credentials and request signing, independent of any service.

Public names: a `Provider` loads credentials, a `CredentialCache` keeps and renews them (`provider.py`), and
`Credentials` are the keys of AWS (`aws.py`). A service of another cloud uses the same cache with a class of its own
that has `expires_at`.
"""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .aws import Credentials
    from .provider import CallableProvider, CredentialCache, Expiring, FixedProvider, Provider, provider_of

__all__ = ["CallableProvider", "CredentialCache", "Credentials", "Expiring", "FixedProvider", "Provider", "provider_of"]

__getattr__ = lazy_names(
    __name__,
    {
        "CallableProvider": "provider",
        "CredentialCache": "provider",
        "Credentials": "aws",
        "Expiring": "provider",
        "FixedProvider": "provider",
        "Provider": "provider",
        "provider_of": "provider",
    },
)
