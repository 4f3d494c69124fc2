"""smart_open, over boto3 and plain files, in a thread."""

from typing import Any

from . import AWS_KEYS, PIECE, pieces_of, threaded

PACKAGE = "smart_open"
LOOPS = ("asyncio", "none")


def _streamed(file: Any) -> int:
    size = 0
    with file:
        while chunk := file.read(PIECE):
            size += len(chunk)
    return size


def _written(file: Any, size: int) -> int:
    with file:
        for piece in pieces_of(size):
            file.write(piece)
    return size


class _BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"})
        self._options = {"client": boto3.client("s3", endpoint_url=url, config=config, **AWS_KEYS)}
        self._bucket = bucket

    def stream(self, key: str) -> int:
        return _streamed(self._open(key, "rb"))

    def upload(self, key: str, size: int, _at_once: int) -> int:
        return _written(self._open(key, "wb"), size)

    def _open(self, key: str, mode: str) -> Any:
        import smart_open

        return smart_open.open(f"s3://{self._bucket}/{key}", mode, transport_params=self._options)


class _BlockingLocal:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def stream(self, path: str) -> int:
        return _streamed(self._open(path, "rb"))

    def write(self, path: str, size: int) -> int:
        return _written(self._open(path, "wb"), size)

    def _open(self, path: str, mode: str) -> Any:
        import smart_open

        return smart_open.open(f"{self._folder}/{path}", mode)


S3 = threaded(_BlockingS3)
Local = threaded(_BlockingLocal)
