"""Where the behaviour suite runs on the ftp service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Ftp


def _open(place: Place) -> Store:
    server = place.server
    config = Ftp(
        server.endpoint,
        root=f"{server.root}/{place.root}",
        user=server.user,
        password=server.password,
        ca_file=server.ca_file,
    )
    return Store(config, lambda path, content: put_file(server.folder / place.root / path, content))


_SAMPLE: Final = Ftp("127.0.0.1")

TARGETS: Final = (
    SuiteTarget("ftp", _SAMPLE, _open, server="pyftpd"),
    SuiteTarget("ftp_tls", _SAMPLE, _open, server="pyftpds"),
    SuiteTarget("ftp_vsftpd", _SAMPLE, _open, server="vsftpd"),
)
