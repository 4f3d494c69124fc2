"""Where the behaviour suite runs on the zip service. Each object that a case puts is a member of a new archive."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Zip

_PATH: Final = "archive.zip"


def _archive(members: dict[str, bytes]) -> bytes:
    """An archive whose members are in turn compressed and stored."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for number, (path, content) in enumerate(members.items()):
            archive.writestr(path, content, ZIP_STORED if number % 2 else ZIP_DEFLATED)
    return buffer.getvalue()


def _putting(store: Callable[[bytes], object]) -> Callable[[str, bytes], None]:
    """A function that adds a member, and stores the archive anew."""
    members: dict[str, bytes] = {}

    def put(path: str, content: bytes) -> None:
        members[path] = content
        store(_archive(members))

    store(_archive(members))
    return put


def _on_disk(place: Place) -> Store:
    def store(content: bytes) -> None:
        put_file(place.folder / _PATH, content)

    return Store(Zip(place.folder.as_uri(), _PATH), _putting(store))


TARGETS: Final = (SuiteTarget("zip", Zip("file:///", _PATH), _on_disk),)
