"""Where the behaviour suite runs on the http service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Http


def _open(place: Place) -> Store:
    folder = place.server.folder / place.root
    return Store(Http(place.server.url, root=place.root), lambda path, content: put_file(folder / path, content))


TARGETS: Final = (SuiteTarget("http", Http("http://127.0.0.1:1"), _open, server="nginx"),)
