"""Which proxy the environment names for a host: the rules that curl, Go and urllib document."""

import pytest
import requests.utils

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import Endpoint
from entrepot.raw.http.wire.proxies import find_proxy

URL = "http://example.com/"
PROXY = "http://proxy.invalid:3128"


def through(no_proxy: str, host: str, port: int | None = None, scheme: str = "http") -> bool:
    return find_proxy(scheme, host, port, {"all_proxy": PROXY, "no_proxy": no_proxy}) is not None


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("*", "a.example", None),
        ("x.example, *", "192.0.2.1", None),
        ("example.com", "example.com", None),
        ("example.com", "www.example.com", None),
        ("EXAMPLE.com.", "Example.COM.", None),
        (".example.com", "www.example.com", None),
        (".example.com", "example.com", None),
        ("*.example.com", "a.b.example.com", None),
        ("other.example,example.com:8080", "example.com", 8080),
        ("example.com:80", "www.example.com", None),
        ("other.example example.com", "example.com", None),
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:9000", "192.0.2.1", 9000),
        ("10.0.0.0/8", "10.200.3.4", None),
        ("10.1.2.3/8", "10.200.3.4", None),
        ("10.0.0.0/8:9000", "10.0.0.1", 9000),
        ("127.0.0.0/8", "127.0.0.1", 1234),
        ("::1", "::1", None),
        ("::1", "[::1]", 80),
        ("[::1]", "::1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("2001:DB8:0:0::1", "2001:db8::1", None),
        ("fd00::/8", "fd12::1", None),
        ("[fd00::/8]:443", "fd12::1", 443),
        ("fe80::1", "fe80::1%eth0", None),
        ("localhost", "localhost", 9000),
        ("[fd00::]/8", "fd12::1", None),
        ("[fd00::]/8:443", "fd12::1", 443),
        ("example.com:08080", "example.com", 8080),
        ("example.com:", "example.com", 443),
        ("*:8080", "example.com", 8080),
    ],
)
def test_an_entry_of_no_proxy_matches(no_proxy: str, host: str, port: int | None) -> None:
    assert not through(no_proxy, host, port)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("", "example.com", None),
        (",, ,", "example.com", None),
        (".", "example.com", None),
        ("ample.com", "example.com", None),
        ("*.example.com", "example.com", None),
        ("*.example.com", "badexample.com", None),
        ("example.com:8080", "example.com", None),
        ("example.com:8080", "example.com", 80),
        ("example.com:x", "example.com", None),
        ("192.0.2.1", "192.0.2.11", None),
        ("192.0.2.1:9000", "192.0.2.1", 9001),
        ("10.0.0.0/8", "11.0.0.1", None),
        ("10.0.0.0/99", "10.0.0.1", None),
        ("10.0.0.0/8", "::ffff:11.0.0.1", None),
        ("[::1]:8080", "::1", 8081),
        ("fd00::/8", "fc00::1", None),
        ("2.1", "192.0.2.1", None),
        ("*.", "example.com", None),
        ("*.", "example.com.", None),
        ("*:8080", "example.com", 80),
        ("ex*.com", "example.com", None),
        ("::1:80", "::1", 80),
        ("[", "example.com", None),
        ("http://example.com", "example.com", None),
        ("example.com:" + "8" * 5000, "example.com", 8),
        ("10.0.0.0/" + "8" * 5000, "10.0.0.1", None),
        ("0.0.0.0/0", "example.com", None),
    ],
)
def test_an_entry_of_no_proxy_does_not_match(no_proxy: str, host: str, port: int | None) -> None:
    assert through(no_proxy, host, port)


@pytest.mark.parametrize(
    ("environment", "scheme", "expected"),
    [
        ({}, "http", None),
        ({"http_proxy": "a:1"}, "http", "http://a:1"),
        ({"http_proxy": "a:1"}, "https", None),
        ({"HTTPS_PROXY": "http://a:1"}, "https", "http://a:1"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "https", "http://a:1"),
        ({"ALL_PROXY": "http://a:1"}, "http", "http://a:1"),
        ({"all_proxy": "http://a:1", "ALL_PROXY": "http://b:1"}, "https", "http://a:1"),
        ({"all_proxy": "http://a:1", "HTTP_PROXY": "http://b:1"}, "http", "http://b:1"),
        ({"all_proxy": "http://a:1", "http_proxy": ""}, "http", "http://a:1"),
        ({"http_proxy": "", "HTTP_PROXY": "http://b:1"}, "http", None),
        ({"HTTP_PROXY": "http://b:1", "REQUEST_METHOD": "GET"}, "http", None),
        ({"http_proxy": "http://b:1", "REQUEST_METHOD": "GET"}, "http", "http://b:1"),
        ({"HTTPS_PROXY": "http://b:1", "REQUEST_METHOD": "GET"}, "https", "http://b:1"),
        ({"http_proxy": " http://u:p@a:1/ "}, "http", "http://a:1"),
        ({"http_proxy": "https://a"}, "http", "https://a"),
        ({"http_proxy": "http://[::1]:3128"}, "http", "http://[::1]:3128"),
        ({"http_proxy": "a:1", "no_proxy": "", "NO_PROXY": "*"}, "http", "http://a:1"),
        ({"http_proxy": "a:1", "NO_PROXY": "*"}, "http", None),
    ],
)
def test_the_variable_that_counts(environment: dict[str, str], scheme: str, expected: str | None) -> None:
    assert origin_of(find_proxy(scheme, "example.com", None, environment)) == expected


def origin_of(proxy: Endpoint | None) -> str | None:
    return None if proxy is None else proxy.origin


@pytest.mark.parametrize(
    "environment",
    [
        {"all_proxy": "http://a:1", "http_proxy": ""},
        {"http_proxy": "", "HTTP_PROXY": "http://b:1"},
        {"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:1"},
        {"HTTP_PROXY": "http://a:1", "all_proxy": "http://b:1"},
        {"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"},
        {"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET", "ALL_PROXY": "http://b:1"},
        {"http_proxy": "http://a:1", "no_proxy": "x", "NO_PROXY": "example.com"},
    ],
)
def test_requests_takes_the_same_proxy(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    theirs = requests.utils.select_proxy(URL, requests.utils.get_environ_proxies(URL))
    assert origin_of(find_proxy("http", "example.com", None, environment)) == theirs


def test_credentials_of_a_proxy_are_decoded_and_not_shown() -> None:
    proxy = find_proxy("http", "example.com", None, {"http_proxy": "http://u%40h:p%3A%2F@a:1"})
    assert proxy is not None
    assert (proxy.username, proxy.password) == ("u@h", "p:/")
    assert "p:/" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "http://secret:word@proxy:99999",
        "http://secret:word@proxy:port",
        "http://secret:word@",
        "socks5://secret:word@proxy:1080",
        "socks5h://secret:word@proxy",
        "http://secret:word@[::1",
        "http://secret:word@pro xy",
        "http://secret:word@proxy\n",
        "://secret",
        "http://secret:word@proxy:0",
        "http://secret%3Aname:word@proxy:1",
        "http://secret:word@proxy:1" + "1" * 5000,
        "http://secret:wo#rd@proxy:1",
        "http://secret:word@::1:3128",
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_variable_that_names_no_http_proxy_is_refused_without_its_value(variable: str, value: str) -> None:
    environment = {variable: value}
    if value.endswith("\n"):
        environment[variable] = value.replace("\n", "\nx")
    with pytest.raises(ConfigInvalid) as caught:
        find_proxy("http", "example.com", None, environment)
    assert caught.value.operation == "configure"
    assert variable in caught.value.message
    for text in (str(caught.value), repr(caught.value), repr(caught.value.__context__)):
        assert "secret" not in text


def test_a_malformed_proxy_is_not_judged_where_it_is_not_used() -> None:
    environment = {"http_proxy": "http://proxy:99999", "no_proxy": "example.com"}
    assert find_proxy("http", "example.com", None, environment) is None
