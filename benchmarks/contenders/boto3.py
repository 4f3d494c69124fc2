"""boto3, in threads where several calls are in flight, as its users do."""

import io
from typing import Any

from . import AWS_KEYS, CONTENT, PART, PIECE, THREADS, pieces_of, threaded

PACKAGE = "boto3"
LOOPS = ("asyncio", "none")


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        import boto3
        from botocore.config import Config

        config = Config(max_pool_connections=THREADS, s3={"addressing_style": "path"})
        self.client: Any = boto3.client("s3", endpoint_url=url, config=config, **AWS_KEYS)
        self.bucket = bucket

    def get(self, key: str) -> int:
        return len(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def put(self, key: str) -> int:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=CONTENT)
        return len(CONTENT)

    def stream(self, key: str) -> int:
        return sum(map(len, self.client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(PIECE)))

    def ranges(self, key: str, _size: int, at_once: int) -> int:
        content = _Counter()
        self.client.download_fileobj(self.bucket, key, content, Config=_transfer(at_once))
        return content.size

    def upload(self, key: str, size: int, at_once: int) -> int:
        self.client.upload_fileobj(_Source(size), self.bucket, key, Config=_transfer(at_once))
        return size

    def list(self) -> int:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return sum(entry["Size"] is not None for page in pages for entry in page["Contents"])


S3 = threaded(BlockingS3)


class _Counter(io.RawIOBase):
    """Counts the bytes that are written."""

    size = 0

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


class _Source(io.RawIOBase):
    """A file of zeros, `size` bytes long."""

    def __init__(self, size: int) -> None:
        self._pieces = pieces_of(size)
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, n: int = -1) -> bytes:
        taken = bytearray()
        while len(taken) < n and (self._left or self._more()):
            taken += self._left[: n - len(taken)]
            self._left = self._left[n - len(taken) :]
        return bytes(taken)

    def _more(self) -> bool:
        self._left = next(self._pieces, b"")
        return bool(self._left)


def _transfer(at_once: int) -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_chunksize=PART, multipart_threshold=PART, max_concurrency=at_once)
