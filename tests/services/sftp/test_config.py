"""What a configuration may say, and what is refused before any I/O."""

from __future__ import annotations

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import Sftp


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("host", ("host", None, None, None)),
        ("host:2222", ("host", 2222, None, None)),
        ("alice@host", ("host", None, "alice", None)),
        ("ssh://alice:p%40ss@host:22/", ("host", 22, "alice", "p@ss")),
        ("sftp://[::1]:2222", ("::1", 2222, None, None)),
    ],
)
def test_endpoints(endpoint: str, expected: tuple[object, ...]) -> None:
    config = Sftp(endpoint)
    assert (config.host, config.port, config.user, config.password) == expected
    assert "p@ss" not in repr(config)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"endpoint": ""}, "must be a host"),
        ({"endpoint": "http://host"}, "must be a host"),
        ({"endpoint": "host:x"}, "must be a host"),
        ({"endpoint": "host/path"}, "set by root"),
        ({"endpoint": "a host"}, "blanks"),
        ({"endpoint": "bob@host", "user": "alice"}, "leave out one"),
        ({"endpoint": "host", "known_hosts_strategy": "none"}, "strict, accept, add"),
        ({"endpoint": "host", "connect_timeout": 0}, "connect_timeout must be more"),
        ({"endpoint": "host", "idle_timeout": -1}, "idle_timeout must be more"),
        ({"endpoint": "host", "passphrase": "x"}, "key, which is not set"),
        ({"endpoint": "host", "root": "/a/../b"}, r"'\.\.'"),
    ],
)
def test_what_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        Sftp(**arguments)  # type: ignore[arg-type]


def test_a_uri_names_the_user_the_server_and_the_root() -> None:
    uri = "sftp://alice:secret@host:2222/srv/data?known_hosts_strategy=Add&connect_timeout=5s"
    assert Sftp.from_uri(uri) == Sftp(
        "host:2222", "/srv/data", user="alice", password="secret", known_hosts_strategy="add", connect_timeout=5.0
    )
    info = Operator.from_uri(uri).info
    assert (info.scheme, info.name, info.root) == ("sftp", "host", "/srv/data/")
