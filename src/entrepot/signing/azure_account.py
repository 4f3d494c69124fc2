"""Which storage account of Azure a configuration means: by name, by endpoint, or by a connection string."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import Endpoint, parse_endpoint

DEFAULT_SUFFIX: Final = "core.windows.net"
"""The end of the host names of the public cloud of Azure."""

EMULATOR_ACCOUNT: Final = "devstoreaccount1"
EMULATOR_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of the emulator, which Microsoft publishes: it protects nothing."""

EMULATOR_ENDPOINT: Final = f"http://127.0.0.1:10000/{EMULATOR_ACCOUNT}"

SECONDARY: Final = "-secondary"
"""The end of the account's name in the host that reads from its second region. It is not part of the name."""

_ACCOUNT: Final = re.compile("[a-z0-9]{3,24}")
_HOST_OF_AZURE: Final = re.compile(
    r"([a-z0-9]{3,24})(?:-secondary)?(?:\.z[0-9]+)?\.(?:blob|dfs)\.(?:core|storage)\.[a-z0-9.-]+"
)


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """The values of a connection string. All may be missing.

    Arguments:
        account: the name of the account.
        key: its key, a secret.
        sas_token: a shared access signature, a secret.
        endpoint: the URL of the service.
    """

    account: str | None = None
    key: str | None = field(default=None, repr=False)
    sas_token: str | None = field(default=None, repr=False)
    endpoint: str | None = None


def parse_connection_string(text: str, service: str) -> ConnectionString:
    """Parses a connection string, as the portal of Azure shows it. Names are matched in any case.

    Arguments:
        text: `"DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net"`.
        service: the service whose endpoint is meant: `"blob"` or `"dfs"`.

    Raises:
        ConfigInvalid: it is not one. The message does not show it.
    """
    values = dict[str, str]()
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = part.partition("=")
        if not equals or name.strip().lower() in values:
            raise _invalid("connection_string must be in the form 'AccountName=...;AccountKey=...', each name once")
        values[name.strip().lower()] = value.strip()
    if values.get("usedevelopmentstorage", "").lower() == "true":
        return ConnectionString(EMULATOR_ACCOUNT, EMULATOR_KEY, None, EMULATOR_ENDPOINT)
    found = ConnectionString(
        values.get("accountname") or None,
        values.get("accountkey") or None,
        values.get("sharedaccesssignature") or None,
        _stated_endpoint(values, service),
    )
    if not (found.account or found.endpoint):
        raise _invalid("connection_string has neither AccountName nor BlobEndpoint")
    return found


def account_endpoint(account: str, service: str) -> str:
    """The URL of a service of an account in the public cloud."""
    return f"https://{account}.{service}.{DEFAULT_SUFFIX}"


def account_of(endpoint: Endpoint) -> str | None:
    """The account that an endpoint names: in its host at Azure, else as the only part of its path, as the emulator's.

    None if it names none.
    """
    match = _HOST_OF_AZURE.fullmatch(endpoint.host)
    if match:
        return match[1]
    name = endpoint.path.removeprefix("/").removesuffix(SECONDARY)
    return name if name and "/" not in name else None


def check_account(name: str) -> None:
    """Passes if an account can have this name.

    Raises:
        ConfigInvalid: it cannot.
    """
    if not _ACCOUNT.fullmatch(name):
        raise _invalid("account_name must have 3 to 24 lower-case letters and digits")


def parsed(endpoint: str) -> Endpoint:
    """The parts of an endpoint; without a scheme it is `https://`.

    Raises:
        ConfigInvalid: it is not one, or has userinfo. The message does not repeat it.
    """
    found = parse_endpoint(endpoint if "://" in endpoint else f"https://{endpoint}")
    if found.username or found.password:
        raise _invalid("the endpoint has userinfo, which Azure Storage does not use: set account_name and account_key")
    return found


def _stated_endpoint(values: Mapping[str, str], service: str) -> str | None:
    stated = values.get(f"{service}endpoint")
    if stated:
        return stated
    account, suffix = values.get("accountname"), values.get("endpointsuffix") or DEFAULT_SUFFIX
    if not account:
        return values.get("blobendpoint") or None
    protocol = values.get("defaultendpointsprotocol") or "https"
    if protocol.lower() not in ("http", "https"):
        raise _invalid("DefaultEndpointsProtocol of connection_string must be http or https")
    return f"{protocol.lower()}://{account}.{service}.{suffix}"


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
