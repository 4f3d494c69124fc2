"""Which account and which credentials a configuration means, with what the environment adds."""

import pytest

from entrepot import ConfigInvalid
from entrepot.raw import Context
from entrepot.services import Azblob
from entrepot.signing.azure_access import access_of

KEY, OTHER = "a2V5", "b3RoZXI="
GOV = "blob.core.usgovcloudapi.net"
SECOND = "acc-secondary.blob.core.windows.net"
TEXT = f"AccountName=texted;AccountKey={OTHER};EndpointSuffix=core.usgovcloudapi.net"


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({"account_name": "acc", "account_key": KEY}, {}, ("https://acc.blob.core.windows.net", "acc", KEY)),
        ({"account_name": "acc"}, {"AZURE_STORAGE_KEY": KEY}, ("https://acc.blob.core.windows.net", "acc", KEY)),
        ({}, {"AZURE_STORAGE_ACCOUNT": "env", "AZURE_STORAGE_ACCOUNT_KEY": KEY}, (..., "env", KEY)),
        ({}, {"AZURE_STORAGE_ACCOUNT_NAME": "env", "AZURE_STORAGE_SAS_TOKEN": "?sig=x"}, (..., "env", "sig=x")),
        (
            {},
            {"AZURE_STORAGE_CONNECTION_STRING": TEXT},
            (f"https://texted.{GOV}", "texted", OTHER),
        ),
        ({"connection_string": TEXT}, {"AZURE_STORAGE_ACCOUNT": "env"}, (..., "texted", OTHER)),
        ({"account_name": "acc"}, {"AZURE_STORAGE_ACCOUNT": "env", "AZURE_STORAGE_KEY": KEY}, (..., "acc", None)),
        ({"account_name": "acc"}, {"AZURE_STORAGE_CONNECTION_STRING": TEXT}, (..., "acc", None)),
        ({"account_name": "acc", "bearer_token": "t"}, {"AZURE_STORAGE_KEY": KEY}, (..., "acc", "t")),
        ({"account_name": "acc", "client_secret": "s"}, {"AZURE_STORAGE_KEY": KEY}, (..., "acc", None)),
        ({"account_name": "acc", "disable_config_load": True}, {"AZURE_STORAGE_KEY": KEY}, (..., "acc", None)),
        (
            {"endpoint": "acc-secondary.blob.core.windows.net"},
            {},
            ("https://acc-secondary.blob.core.windows.net", "acc", None),
        ),
        ({"endpoint": "https://acc.z21.blob.storage.azure.net/"}, {}, (..., "acc", None)),
        ({"endpoint": "http://127.0.0.1:10000/devstoreaccount1"}, {}, (..., "devstoreaccount1", None)),
        ({"endpoint": "https://my.domain", "account_name": "acc"}, {}, ("https://my.domain", "acc", None)),
        ({"use_emulator": True, "sas_token": "sig=x"}, {}, ("http://127.0.0.1:10000/devstoreaccount1", ..., "sig=x")),
    ],
)
def test_the_account_and_its_credentials(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], environ: dict[str, str], expected: tuple[object, ...]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    access = access_of(Azblob("container", **options), Context())  # type: ignore[arg-type]
    secret = getattr(access.known, "key", None) or getattr(access.known, "token", None)
    for found, wanted in zip((access.url, access.account, secret), expected, strict=True):
        assert wanted is ... or found == wanted


def test_public_containers_need_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    access = access_of(Azblob("container", account_name="acc", skip_signature=True), Context())
    assert (access.known, access.credentials) == (None, None)


@pytest.mark.parametrize("options", [{}, {"endpoint": "https://my.domain"}, {"endpoint": "https://my.domain/a/b"}])
def test_an_account_that_nothing_names_is_missing(options: dict[str, str]) -> None:
    with pytest.raises(ConfigInvalid, match="account_name is missing"):
        access_of(Azblob("container", **options), Context())


def test_operators_of_one_context_share_what_is_loaded() -> None:
    context = Context()
    first, second, other = [
        access_of(Azblob(name, account_name="acc", client_id=client), context)
        for name, client in (("one1", None), ("two2", None), ("one1", "mine"))
    ]
    assert first.credentials is second.credentials
    assert first.credentials is not other.credentials
