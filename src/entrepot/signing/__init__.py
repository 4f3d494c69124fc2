"""Credentials and request signing, independent of any service.

Public names: a `Provider` loads credentials, a `CredentialCache` keeps and renews them, `Credentials` are
the keys of AWS (`aws.py`), those of Azure begin with its name (`azure.py`), and a `GoogleToken` is a token of Google
Cloud (`google/`). A service of another cloud uses the same cache with a class of its own that has `expires_at`.
"""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

if TYPE_CHECKING:
    from .aws import Credentials
    from .azure import AzureAccessToken, AzureAccountKey, AzureCredentials, AzureSasToken
    from .google.token import GoogleToken
    from .provider import CallableProvider, CredentialCache, Expiring, FixedProvider, Provider, provider_of

__all__ = [
    "AzureAccessToken",
    "AzureAccountKey",
    "AzureCredentials",
    "AzureSasToken",
    "CallableProvider",
    "CredentialCache",
    "Credentials",
    "Expiring",
    "FixedProvider",
    "GoogleToken",
    "Provider",
    "provider_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AzureAccessToken": "azure",
        "AzureAccountKey": "azure",
        "AzureCredentials": "azure",
        "AzureSasToken": "azure",
        "CallableProvider": "provider",
        "CredentialCache": "provider",
        "Credentials": "aws",
        "Expiring": "provider",
        "FixedProvider": "provider",
        "GoogleToken": "google.token",
        "Provider": "provider",
        "provider_of": "provider",
    },
)
__dir__ = lazy_dir(__name__)
