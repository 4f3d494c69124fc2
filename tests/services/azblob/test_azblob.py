"""What the behaviour suite does not check of the azblob service: its configuration, and errors of its own."""

import pytest

from entrepot import ConfigInvalid
from entrepot.services import Azblob, Azdls

KEY = "c2VjcmV0"
OWN_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"container": "ab"}, "container must have"),
        ({"container": "a--b"}, "container must have"),
        ({"container": "Abc"}, "container must have"),
        ({"account_key": "no base64!"}, "not base64"),
        ({"sas_token": "sv=2022-11-02"}, "not a query with a signature"),
        ({"account_key": KEY, "sas_token": "sig=x"}, "leave out all but one"),
        ({"account_key": KEY, "skip_signature": True}, "skip_signature is set beside account_key"),
        ({"connection_string": "AccountName=a;AccountKey=" + KEY, "account_name": "b"}, "states itself"),
        ({"connection_string": "nonsense", "account_name": None}, "in the form"),
        ({"account_name": "With-Capitals"}, "3 to 24 lower-case letters"),
        ({"account_name": None, "disable_config_load": True}, "account_name is missing"),
        ({"endpoint": "https://key:secret@host"}, "userinfo"),
        ({"root": "a/../b"}, "Azure does not keep the name"),
        ({"encryption_key": KEY}, "base64 of 32 bytes"),
        ({"encryption_key": "no base64!"}, "base64 of 32 bytes"),
        ({"encryption_key": OWN_KEY, "encryption_key_sha256": KEY}, "is not the SHA-256"),
        ({"encryption_key": OWN_KEY, "encryption_algorithm": "DES"}, "must be AES256"),
        ({"encryption_algorithm": "AES256"}, "encryption_key is missing"),
        ({"credentials": "text"}, "credentials must be"),
        ({"allow_http": False, "endpoint": "http://host/account"}, "allow_http"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Azblob(**{"container": "abc", "account_name": "account", **values})  # type: ignore[arg-type]
    assert caught.value.scheme == "azblob"


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("https://acc.blob.core.windows.net/abc", {}),
        ("https://acc.blob.core.windows.net/abc/", {"account_name": "acc"}),
        ("http://127.0.0.1:10000/abc", {"account_name": "acc"}),
    ],
)
def test_an_endpoint_that_ends_with_the_container_is_refused(endpoint: str, values: dict[str, str]) -> None:
    with pytest.raises(ConfigInvalid, match="ends with the name of the bucket or container"):
        Azblob("abc", endpoint=endpoint, **values)
    with pytest.raises(ConfigInvalid, match="ends with the name of the bucket or container"):
        Azdls("abc", endpoint=endpoint, **values)


def test_an_endpoint_that_ends_with_an_account_of_the_same_name_is_that_of_an_emulator() -> None:
    assert Azblob("abc", endpoint="http://127.0.0.1:10000/abc").endpoint == "http://127.0.0.1:10000/abc"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("azblob://abc/a/b?account_name=acc", ("abc", "/a/b", None, "acc")),
        ("az://abc", ("abc", "", None, None)),
        ("wasbs://abc@acc.blob.core.windows.net/a", ("abc", "/a", "https://acc.blob.core.windows.net", None)),
        ("wasbs://abc@acc.dfs.core.windows.net/a", ("abc", "/a", "https://acc.blob.core.windows.net", None)),
        ("https://acc.blob.core.windows.net/abc/a/b", ("abc", "/a/b", "https://acc.blob.core.windows.net", None)),
    ],
)
def test_uris(uri: str, expected: tuple[str | None, ...]) -> None:
    config = Azblob.from_uri(uri)
    assert (config.container, config.root, config.endpoint, config.account_name) == expected


def test_keys_of_other_libraries() -> None:
    ours = Azblob("abc", account_name="acc", account_key=KEY)
    for keys in (
        {"container": "abc", "account_name": "acc", "account_key": KEY, "batch_max_operations": "256"},  # OpenDAL
        {"azure_container_name": "abc", "azure_storage_account_name": "acc", "AZURE_STORAGE_ACCESS_KEY": KEY},
        {"container_name": "abc", "azure_storage_account_name": "acc", "master_key": KEY, "use_azure_cli": "false"},
    ):
        assert Azblob.from_mapping(keys) == ours
    with pytest.raises(ConfigInvalid, match="did you mean 'account_key'"):
        Azblob.from_mapping({"container": "abc", "acount_key": KEY})


def test_no_secret_is_shown() -> None:
    secrets = {
        "sas_token": "sig=HUSH",
        "bearer_token": "HUSH",
        "connection_string": "AccountName=acc;AccountKey=SFVTSA==",
    }
    for name, value in secrets.items():
        config = Azblob("abc", **{name: value})
        assert value not in repr(config)
        with pytest.raises(ConfigInvalid) as caught:
            Azblob("abc", skip_signature=True, **{name: value})
        assert "HUSH" not in str(caught.value)
        assert "SFVTSA" not in str(caught.value)
