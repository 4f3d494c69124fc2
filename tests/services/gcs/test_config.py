"""The configuration of the gcs service: what is refused before anything is sent."""

import pickle

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import Gcs
from entrepot.signing import GoogleToken

KEY = '{"type": "service_account", "client_email": "a@b.c", "private_key": "-----SECRET"}'


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bucket": ""}, "bucket must be"),
        ({"bucket": "gs://bucket"}, "bucket must be.*from_uri takes a URI"),
        ({"bucket": "bucket/folder"}, "a folder in it is the root"),
        ({"bucket": "bucket", "endpoint": "https://storage.example/bucket/"}, "ends with the name of the bucket"),
        ({"bucket": "bucket", "token": "a b"}, "token is empty, or has"),
        ({"bucket": "bucket", "token": "anon"}, "skip_signature=True for none"),
        ({"bucket": "bucket", "token": "t", "skip_signature": True}, "skip_signature is set beside token"),
        ({"bucket": "bucket", "token": "t", "credential": KEY}, "token and credential are set"),
        ({"bucket": "bucket", "credential": "not json SECRET"}, "credential is not the JSON"),
        ({"bucket": "bucket", "credential_path": ""}, "credential_path must be the path"),
        ({"bucket": "bucket", "credentials": 7}, "credentials must be GoogleToken"),
        ({"bucket": "bucket", "service_account": "/a/key.json"}, "a file with a key is credential_path"),
        ({"bucket": "bucket", "predefined_acl": "public-read"}, "such as 'publicRead'"),
        ({"bucket": "bucket", "endpoint": "ftp://host"}, "must start with http"),
        ({"bucket": "bucket", "endpoint": "https://user:SECRET@host"}, "userinfo"),
        ({"bucket": "bucket", "endpoint": "http://elsewhere.example", "token": "t"}, "over https, or to this machine"),
        ({"bucket": "bucket", "endpoint": "http://elsewhere.example"}, "over https, or to this machine"),
    ],
)
def test_values_that_cannot_work_are_refused(values, message):
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Gcs(**values)
    assert "SECRET" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize("key", ['{"type": "other"}', '{"type": "service_account"}', KEY.replace("a@b.c", "")])
def test_a_credential_that_lacks_something_is_refused_when_the_operator_is_made(key):
    with pytest.raises(ConfigInvalid) as caught:
        Operator(Gcs("bucket", credential=key))
    assert "SECRET" not in repr(caught.value)


def test_keys_of_other_tools_are_understood():
    config = Gcs.from_mapping(
        {"google_bucket_name": "bucket", "GOOGLE_APPLICATION_CREDENTIALS": "/k.json", "google_skip_signature": "false"}
    )
    assert config == Gcs("bucket", credential_path="/k.json")


def test_a_uri_has_the_bucket_and_the_root():
    op = Operator.from_uri("gs://bucket/some/root?token=secret-token")
    assert (op.info.scheme, op.info.name, op.info.root) == ("gcs", "bucket", "/some/root/")
    assert "secret-token" not in repr(op)


def test_secrets_are_in_no_repr():
    token = GoogleToken("secret-token", source="test")
    config = Gcs("bucket", credentials=token)
    assert "secret" not in repr(config) + repr(token)
    assert pickle.loads(pickle.dumps(config)) == config


def test_the_emulator_of_the_environment_gets_no_credentials_unless_they_are_given(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:4443")
    assert Gcs("bucket").server.url == "http://127.0.0.1:4443"
    assert Gcs("bucket").is_anonymous
    assert not Gcs("bucket", token="t").is_anonymous
    assert Gcs("bucket", disable_config_load=True).server.host == "storage.googleapis.com"


def test_one_store_is_one_bucket_with_the_same_credentials():
    config = Gcs("bucket", token="t")
    assert config.is_same_store(Gcs("bucket", "/other", token="t", default_storage_class="NEARLINE"))
    assert not config.is_same_store(Gcs("bucket", token="u"))
    assert config.builder_of_copies(Gcs("another", token="t")) is not None
    assert config.builder_of_copies(Gcs("another", token="u")) is None
