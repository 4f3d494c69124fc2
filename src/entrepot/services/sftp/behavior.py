"""Where the behaviour suite runs on the sftp service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Sftp


def _open(place: Place) -> Store:
    server = place.server
    config = Sftp(
        server.endpoint,
        root=f"{server.folder}/{place.root}",
        user=server.user,
        key=server.key,
        known_hosts=server.known_hosts,
        config_file="/dev/null",
    )
    return Store(config, lambda path, content: put_file(server.folder / place.root / path, content))


_SAMPLE: Final = Sftp("127.0.0.1")

TARGETS: Final = (
    SuiteTarget("sftp", _SAMPLE, _open, server="sshd"),
    SuiteTarget("sftp_asyncssh", _SAMPLE, _open, server="asyncssh_server"),
)
