"""tensorstore: its key-value stores, in C++, which read and write a value as a whole."""

import os
from typing import Any

from . import CONTENT, KEYS, columns_of, footer_of, gathered, ranges_of, tables

PACKAGE = "tensorstore"
CONNECTIONS = 256
"""How many requests it may make at once; its default is 32."""


def _s3(url: str, bucket: str) -> Any:
    import tensorstore

    os.environ["AWS_ACCESS_KEY_ID"] = KEYS["access_key_id"]  # its configuration has no fields for keys
    os.environ["AWS_SECRET_ACCESS_KEY"] = KEYS["secret_access_key"]
    return tensorstore.KvStore.open(
        {
            "driver": "s3",
            "bucket": bucket,
            "endpoint": url,
            "aws_region": KEYS["region"],
            "aws_credentials": {"type": "environment"},
            "s3_request_concurrency": {"limit": CONNECTIONS},
        }
    ).result()


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        import tensorstore

        self._batch = tensorstore.Batch
        self._store = _s3(url, bucket)

    async def get(self, key: str) -> int:
        return len((await self._store.read(key)).value)

    async def put(self, key: str) -> int:
        await self._store.write(key, CONTENT)
        return len(CONTENT)

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        return sum(await gathered(self._range, [(key, *bounds) for bounds in ranges_of(size)], at_once))

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _range(self, key: str, begin: int, end: int) -> int:
        return len((await self._store.read(key, byte_range=slice(begin, end))).value)

    async def _table(self, key: str, columns: int) -> int:
        footer = await self._range(key, *footer_of(columns))
        with self._batch() as batch:
            chunks = [
                self._store.read(key, byte_range=slice(begin, end), batch=batch) for begin, end in columns_of(columns)
            ]
        return footer + sum([len((await chunk).value) for chunk in chunks])


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self._store = _s3(url, bucket)

    def get(self, key: str) -> int:
        return len(self._store.read(key).result().value)

    def put(self, key: str) -> int:
        self._store.write(key, CONTENT).result()
        return len(CONTENT)


def _local(folder: str) -> Any:
    import tensorstore

    return tensorstore.KvStore.open({"driver": "file", "path": f"{folder}/"}).result()


class Local:
    def __init__(self, folder: str) -> None:
        self._store = _local(folder)

    async def read(self, path: str) -> int:
        return len((await self._store.read(path)).value)


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self._store = _local(folder)

    def read(self, path: str) -> int:
        return len(self._store.read(path).result().value)


class Memory:
    def __init__(self) -> None:
        import tensorstore

        self._store = tensorstore.KvStore.open({"driver": "memory"}).result()
        self._store.write("byte", b"1").result()

    async def read(self) -> int:
        return len((await self._store.read("byte")).value)
