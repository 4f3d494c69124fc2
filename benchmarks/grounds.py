"""Test data of the contenders: a folder of files, and a server whose objects are files."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .certificate import certify, trusting
from .null_s3 import NullS3, listing_page, listing_row, null_s3
from .workloads import MIB, SLOW_RATE, SMALL, Case, Scale, table_size

PAGE: Final = 1000
"""Keys of a page of a listing, as in S3."""

FOLDER: Final = 1000
"""Files of each folder of the tree."""

MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - its own folder is made in it


@dataclass(frozen=True, slots=True)
class Grounds:
    """A server and a folder with test data.

    Arguments:
        server: nginx posing as S3.
        folder: the folder of local files.
        environment: of a process that trusts the certificate of the server.
    """

    server: NullS3
    folder: Path
    environment: dict[str, str]

    def place(self, case: Case, *, is_counting: bool = False) -> dict[str, str]:
        """The arguments that the store of a case is made with."""
        if case.store in {"S3", "BlockingS3"}:
            url = self.server.tls_url if case.is_tls else self.server.url
            return {"url": self.server.counting_url if is_counting else url, "bucket": case.bucket}
        return {"folder": str(self.folder)} if case.store in {"Local", "BlockingLocal"} else {}


@contextmanager
def grounds(scale: Scale) -> Iterator[Grounds]:
    """Makes files, objects and pages, starts the server, and removes all of it at the end.

    All of them are in memory where the system has a folder for that, so that no disk is measured.
    """
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-", dir=_parent(scale)) as name:
        root, folder = Path(name, "objects"), Path(name, "files")
        _make_objects(root / "bench", scale)
        for count in {*scale.key_counts, *scale.counts}:
            _make_pages(root / f"list{count}", count)
        _make_files(folder, scale)
        certificate, authority = certify(Path(name))
        with null_s3(root, slow_rate=SLOW_RATE, certificate=certificate) as server:
            yield Grounds(server, folder, trusting(authority))


def _parent(scale: Scale) -> Path | None:
    needed = 4 * scale.object_size + 2 * scale.file_size + 4 * sum(scale.sizes)
    has_space = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > needed
    return MEMORY_FOLDER if has_space else None


def _make_objects(bucket: Path, scale: Scale) -> None:
    bucket.mkdir(parents=True)
    sizes = {
        "small": SMALL,
        "large": scale.object_size,
        "eighth": scale.object_size // 8,
        **{f"table{number}": table_size(scale) for number in range(scale.tables)},
        **{f"size{size}": size for size in scale.sizes},
    }
    for name, size in sizes.items():
        _write(bucket / name, size)
    with (bucket / "long").open("wb") as file:
        file.truncate(scale.long_stream)  # a hole, which takes no space


def _make_pages(folder: Path, count: int) -> None:
    folder.mkdir()
    last = (count - 1) // PAGE
    for page in range(last + 1):
        rows = map(listing_row, range(page * PAGE, min(count, (page + 1) * PAGE)))
        following = None if page == last else f"p{page + 1}"
        content = listing_page(rows, bucket=folder.name, token=f"p{page}", next_token=following)
        (folder / f"p{page}").write_text(content)


def _make_files(folder: Path, scale: Scale) -> None:
    (folder / "many").mkdir(parents=True)
    for number in range(scale.files):
        (folder / "many" / f"file-{number:07}").touch()
        below = folder / "tree" / f"folder-{number // FOLDER:04}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"file-{number:07}").touch()
    for name, size in {"small": SMALL, "large": scale.file_size, **{f"size{n}": n for n in scale.sizes}}.items():
        _write(folder / name, size)


def _write(path: Path, size: int) -> None:
    """Random bytes, repeated after each MiB, so that they cannot be compressed cheaply on the way."""
    content = random.Random(size).randbytes(min(size, MIB))  # noqa: S311
    with path.open("wb") as file:
        for begin in range(0, size, MIB):
            file.write(content[: size - begin])
