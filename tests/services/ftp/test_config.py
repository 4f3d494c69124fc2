"""What a configuration may say, and what is refused before any I/O."""

from __future__ import annotations

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import Ftp


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("host", ("host", 21, "anonymous", None, False, False)),
        ("ftp://host:2121", ("host", 2121, "anonymous", None, False, False)),
        ("ftps://alice:p%40ss@host", ("host", 21, "alice", "p@ss", True, False)),
        ("ftps://[::1]:990/", ("::1", 990, "anonymous", None, True, True)),
    ],
)
def test_endpoints(endpoint: str, expected: tuple[object, ...]) -> None:
    config = Ftp(endpoint)
    found = (config.host, config.port, config.user, config.password, config.is_secure, config.has_implicit_tls)
    assert found == expected
    assert "p@ss" not in repr(config)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"endpoint": ""}, "must be a host"),
        ({"endpoint": "http://host"}, "must be a host"),
        ({"endpoint": "ftp://host:x"}, "must be a host"),
        ({"endpoint": "ftp://host/path"}, "set by root"),
        ({"endpoint": "a host"}, "blanks"),
        ({"endpoint": "ftp://bob@host", "user": "alice"}, "leave out one"),
        ({"endpoint": "host", "ca_file": "x"}, "ftps://"),
        ({"endpoint": "host", "timeout": 0}, "timeout must be more"),
        ({"endpoint": "host", "max_connections": 0}, "max_connections must be more"),
        ({"endpoint": "host", "user": "a\nDELE b"}, "user has control characters"),
        ({"endpoint": "host", "password": "a\r\nDELE b"}, "password has control characters"),
        ({"endpoint": "host", "root": "/a/../b"}, r"'\.\.'"),
        ({"endpoint": "host", "root": "/a\r\nDELE b"}, "root cannot be used"),
    ],
)
def test_what_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        Ftp(**arguments)  # type: ignore[arg-type]


def test_a_uri_names_the_user_the_server_and_the_root() -> None:
    uri = "ftps://alice:secret@host:2121/srv/data?timeout=5s"
    assert Ftp.from_uri(uri) == Ftp("ftps://host:2121", "/srv/data", user="alice", password="secret", timeout=5.0)
    info = Operator.from_uri(uri).info
    assert (info.scheme, info.name, info.root) == ("ftp", "host", "/srv/data/")
