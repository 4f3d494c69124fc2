"""Where the behaviour suite runs on the tar service. Each object that a case puts is a member of a new archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

from .config import Tar


def _archive(members: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _opener(path: str, mode: str) -> Callable[[Place], Store]:
    def open_place(place: Place) -> Store:
        members: dict[str, bytes] = {}

        def put(member: str, content: bytes) -> None:
            members[member] = content
            put_file(place.folder / path, _archive(members, mode))

        put_file(place.folder / path, _archive(members, mode))
        return Store(Tar(place.folder.as_uri(), path), put)

    return open_place


TARGETS: Final = (
    SuiteTarget("tar", Tar("file:///", "archive.tar"), _opener("archive.tar", "w")),
    SuiteTarget("tar_gz", Tar("file:///", "archive.tar.gz"), _opener("archive.tar.gz", "w:gz")),
)
