"""What the behaviour suite does not check of the azblob service: its configuration, and errors of its own."""

import pytest

from entrepot import ConfigInvalid
from entrepot.services import Azblob

KEY = "c2VjcmV0"


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
        ({"credentials": "text"}, "credentials must be"),
        ({"allow_http": False, "endpoint": "http://host/account"}, "allow_http"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Azblob(**{"container": "abc", "account_name": "account", **values})  # type: ignore[arg-type]
    assert caught.value.scheme == "azblob"
