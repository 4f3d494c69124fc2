"""Plain `open` and `os`, with one thread call for each operation where the event loop must not block."""

import os
from pathlib import Path

from . import PIECE, pieces_of, threaded


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def read(self, path: str) -> int:
        with open(f"{self.folder}/{path}", "rb") as file:  # noqa: PTH123 - the measured call
            return len(file.read())

    def stat(self, path: str) -> int:
        return os.stat(f"{self.folder}/{path}").st_size  # noqa: PTH116 - the measured call

    def list(self, path: str) -> int:
        with os.scandir(Path(self.folder, path)) as entries:
            return sum(entry.is_file() for entry in entries)

    def walk(self, path: str) -> int:
        return sum(len(files) for _, _, files in os.walk(f"{self.folder}/{path}"))

    def stream(self, path: str) -> int:
        return self.chunks(path, PIECE)

    def chunks(self, path: str, chunk_size: int) -> int:
        size = 0
        with open(f"{self.folder}/{path}", "rb") as file:  # noqa: PTH123
            while chunk := file.read(chunk_size):
                size += len(chunk)
        return size

    def write(self, path: str, size: int) -> int:
        with open(f"{self.folder}/{path}", "wb") as file:  # noqa: PTH123
            file.writelines(pieces_of(size))
        return size


Local = threaded(BlockingLocal)
