"""Configuration of the http service."""

import pickle
from typing import Any

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.raw import Context
from entrepot.raw.http import HttpTransport
from entrepot.services import Http


@pytest.mark.parametrize(
    ("endpoint", "root", "name", "full_root"),
    [
        ("http://h", "/", "h", "/"),
        ("HTTPS://h:8443/", "/", "h", "/"),
        ("http://h/a%20b", "/c/", "h", "/a b/c/"),
        ("http://h/a/b/", "c", "h", "/a/b/c/"),
        ("http://127.0.0.1:80", "/", "127.0.0.1", "/"),
        ("http://[::1]:8080/a", "/", "::1", "/a/"),
        ("http://u:p@[::1]", "/", "::1", "/"),
    ],
)
def test_the_endpoint_gives_the_host_and_the_start_of_the_root(
    endpoint: str, root: str, name: str, full_root: str
) -> None:
    info = Operator(Http(endpoint, root=root), context=Context(http=HttpTransport())).info
    assert (info.scheme, info.name, info.root) == ("http", name, full_root)


def test_userinfo_becomes_credentials_and_stays_nowhere_else() -> None:
    config = Http("https://us%40er:se%2Fcret@h:1/dir")
    assert (config.endpoint, config.username, config.password) == ("https://h:1/dir", "us@er", "se/cret")
    assert config == Http("https://h:1/dir", username="us@er", password="se/cret")
    assert pickle.loads(pickle.dumps(config)) == config
    for text in (repr(config), str(config), repr(Operator(config))):
        assert "cret" not in text
        assert "us@er" not in text


@pytest.mark.parametrize("endpoint", ["http://@h", "http://:@h", "HTTP://H:80/"])
def test_endpoints_that_mean_the_same_are_the_same(endpoint: str) -> None:
    config = Http(endpoint)
    assert config == Http("http://h")
    assert (config.endpoint, config.username, config.password) == ("http://h", None, None)
    assert Http(endpoint, token="t").token == "t"


def test_a_uri_gives_endpoint_root_and_credentials() -> None:
    config = Http.from_uri("https://user:pw@h:1/some%20dir")
    assert config == Http("https://h:1", root="/some dir", username="user", password="pw")
    assert Http.from_uri("http://h?token=t") == Http("http://h", root="", token="t")
    assert Http.from_uri("http://h/a", {"root": "/b"}) == Http("http://h", root="/b")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"endpoint": ""}, "http"),
        ({"endpoint": "h"}, "http"),
        ({"endpoint": "ftp://h"}, "http"),
        ({"endpoint": "http://"}, "host"),
        ({"endpoint": "http:///a"}, "host"),
        ({"endpoint": "http://:80"}, "host"),
        ({"endpoint": "http://h:port"}, "URL"),
        ({"endpoint": "http://h:99999"}, "URL"),
        ({"endpoint": "http://h:0"}, "http"),
        ({"endpoint": "http://[::1"}, "URL"),
        ({"endpoint": "http://h\\evil"}, "host"),
        ({"endpoint": "http://h ost"}, "blanks"),
        ({"endpoint": "http://h\r\nX: y"}, "control"),
        ({"endpoint": "http://m\u00fcller.de"}, "ASCII"),
        ({"endpoint": "http://h?"}, "query"),
        ({"endpoint": "http://h/a?token=secret"}, "query"),
        ({"endpoint": "http://h/a#secret"}, "fragment"),
        ({"endpoint": "http://u:1/secret@h"}, "percent-encoded"),
        ({"endpoint": "http://[fe80::1%25eth0]"}, "IPv6"),
        ({"endpoint": "http://u:secret@h", "username": "u"}, "userinfo"),
        ({"endpoint": "http://u:secret@h", "token": "t"}, "token"),
        ({"endpoint": "http://h", "username": "u", "token": "secret"}, "token"),
        ({"endpoint": "http://h", "token": "secret\r\nX: y"}, "token"),
        ({"endpoint": "http://h", "token": ""}, "token"),
        ({"endpoint": "http://h", "token": "secret\u00e9"}, "token"),
        ({"endpoint": "http://h", "username": "u\nsecret"}, "username"),
        ({"endpoint": "http://h", "username": "u:secret"}, "username"),
        ({"endpoint": "http://h", "username": "u", "password": "secret\r"}, "password"),
        ({"endpoint": "http://h/a/../b"}, "root"),
        ({"endpoint": "http://h/a/%2e%2E/b"}, "root"),
        ({"endpoint": "http://h", "root": "/a/./b"}, "root"),
        ({"endpoint": "http://h", "root": 1}, "root"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Http(**arguments)
    assert part in caught.value.message
    assert (caught.value.kind, caught.value.scheme, caught.value.operation) == ("ConfigInvalid", "http", "configure")
    assert "secret" not in str(caught.value)


def test_a_missing_endpoint_and_an_unknown_key_are_named() -> None:
    with pytest.raises(ConfigInvalid, match="endpoint is missing"):
        Http.from_mapping({"root": "/"})
    with pytest.raises(ConfigInvalid, match="did you mean 'endpoint'"):
        Http.from_mapping({"endpont": "http://h"})
