"""Where the behaviour suite runs on the zip service."""

from __future__ import annotations

import io
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from entrepot.raw.archive.suite import archive_targets

from .config import Zip


def _pack(members: dict[str, bytes]) -> bytes:
    """An archive whose members are in turn compressed and stored."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for number, (path, content) in enumerate(members.items()):
            archive.writestr(path, content, ZIP_STORED if number % 2 else ZIP_DEFLATED)
    return buffer.getvalue()


TARGETS: Final = tuple(archive_targets("zip", Zip, "archive.zip", _pack))
