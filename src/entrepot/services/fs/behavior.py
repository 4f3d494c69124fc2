"""Where the behaviour suite runs on the fs service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Fs


def _open(place: Place) -> Store:
    return Store(Fs(str(place.folder)), lambda path, content: put_file(place.folder / path, content))


TARGETS: Final = (SuiteTarget("fs", Fs("/nowhere"), _open),)
