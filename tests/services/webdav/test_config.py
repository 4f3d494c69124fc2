"""Configuration of the webdav service."""

import pickle
from typing import Any

import pytest

from entrepot import ConfigInvalid, InvalidInput, Operator
from entrepot.services import Webdav


def test_userinfo_becomes_credentials_and_is_shown_nowhere() -> None:
    config = Webdav("https://an%40n:se%2Fcret@h:1/dav/")
    assert (config.endpoint, config.username, config.password) == ("https://h:1/dav", "an@n", "se/cret")
    assert pickle.loads(pickle.dumps(config)) == config
    for text in (repr(config), str(config), repr(Operator(config))):
        assert "cret" not in text
        assert "an@n" not in text


@pytest.mark.parametrize(
    ("uri", "endpoint", "root"),
    [
        ("webdav://h/a/b", "https://h", "/a/b"),
        ("davs://h:1/a", "https://h:1", "/a"),
        ("dav://h/a%20b", "http://h", "/a b"),
        ("webdav://h/a?endpoint=http://127.0.0.1:8080/dav", "http://127.0.0.1:8080/dav", "/a"),
    ],
)
def test_a_uri_gives_endpoint_and_root(uri: str, endpoint: str, root: str) -> None:
    config = Webdav.from_uri(uri)
    assert (config.endpoint, config.root) == (endpoint, root)


def test_the_keys_of_fsspec_are_known() -> None:
    config = Webdav.from_mapping({"base_url": "https://h", "user": "u", "password": "p"})
    assert config == Webdav("https://h", username="u", password="p")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"endpoint": "ftp://h"}, "must start with http"),
        ({"endpoint": "https://h?x=1"}, "query"),
        ({"endpoint": "https://u:secret@h", "username": "x"}, "userinfo"),
        ({"endpoint": "https://h", "token": "secret", "username": "u"}, "token excludes"),
        ({"endpoint": "https://h", "token": "sec ret"}, "token is empty"),
        ({"endpoint": "https://h", "username": "a:b"}, "colon"),
        ({"endpoint": "https://h", "password": "sec\nret"}, "control characters"),
        ({"endpoint": "https://h", "disable_basic": True}, "disable_basic"),
        ({"endpoint": "https://h", "root": "a/../b"}, "cannot be names"),
        ({"endpoint": "https://h", "root": "a\0b"}, "root cannot be used"),
        ({"endpoint": "https://h", "user_metadata_uri": 'x"><y'}, "user_metadata_uri"),
        ({"endpoint": "https://h", "user_metadata_prefix": "xmlx"}, "user_metadata_prefix"),
        ({"endpoint": "https://h", "headers": {"Destination": "x"}}, "entrepot sets it itself"),
        ({"endpoint": "http://h", "allow_http": False}, "allow_http"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_a_secret(arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigInvalid, match=part) as caught:
        Webdav(**arguments)
    assert "secret" not in repr(caught.value.__dict__)


def test_roots_of_one_endpoint_are_one_store() -> None:
    config = Webdav("https://h/dav", root="a", username="u", password="p")
    assert config.is_same_store(Webdav("https://u:p@h/dav/", root="b", atomic_write=False, connect_timeout=1))
    for other in (Webdav("https://h/dav", root="a"), Webdav("https://h", username="u", password="p")):
        assert not config.is_same_store(other)


@pytest.mark.parametrize("path", ["a/../b", "./b", "a\\..\\b", "a//b", "a/./b"])
async def test_names_that_a_server_resolves_are_refused_before_any_request(path: str) -> None:
    op = Operator(Webdav("http://127.0.0.1:1"), resilient=False)
    for call in (op.stat(path), op.read(path), op.write(path, b"x"), op.delete(path), op.copy("a", path)):
        with pytest.raises(InvalidInput):
            await call


async def test_user_metadata_that_is_not_xml_is_refused_before_any_request() -> None:
    op = Operator(Webdav("http://127.0.0.1:1"), resilient=False)
    for user_metadata in ({"a b": "1"}, {"1a": "1"}, {"xmla": "1"}, {"a": "\x01"}):
        with pytest.raises(InvalidInput):
            await op.write("a", b"x", user_metadata=user_metadata)
