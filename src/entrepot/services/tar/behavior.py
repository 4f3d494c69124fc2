"""Where the behaviour suite runs on the tar service: plain archives, and compressed ones."""

from __future__ import annotations

import io
import tarfile
from functools import partial
from typing import Final, Literal

from entrepot.raw.archive.suite import archive_targets

from .config import Tar


def _pack(mode: Literal["w", "w:gz"], members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TARGETS: Final = (
    *archive_targets("tar", Tar, "archive.tar", partial(_pack, "w")),
    *archive_targets("tar_gz", Tar, "archive.tar.gz", partial(_pack, "w:gz")),
)
