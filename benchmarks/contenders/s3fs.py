"""s3fs, the S3 of fsspec, by its coroutines."""

from typing import Any

from . import AWS_KEYS, CONTENT, PIECE, columns_of, footer_of, tables

PACKAGE = "s3fs"
LOOPS = ("asyncio", "none")


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        from s3fs import S3FileSystem

        self.fs: Any = S3FileSystem(
            asynchronous=True,
            key=AWS_KEYS["aws_access_key_id"],
            secret=AWS_KEYS["aws_secret_access_key"],
            endpoint_url=url,
            client_kwargs={"region_name": AWS_KEYS["region_name"]},
            config_kwargs={"max_pool_connections": 256},
            skip_instance_cache=True,
        )
        self.bucket = bucket

    async def get(self, key: str) -> int:
        return len(await self.fs._cat_file(f"{self.bucket}/{key}"))  # noqa: SLF001 - its coroutines have no public names

    async def put(self, key: str) -> int:
        await self.fs._pipe_file(f"{self.bucket}/{key}", CONTENT)  # noqa: SLF001
        return len(CONTENT)

    async def stream(self, key: str) -> int:
        size = 0
        async with await self.fs.open_async(f"{self.bucket}/{key}", "rb", block_size=PIECE) as file:
            while chunk := await file.read(PIECE):
                size += len(chunk)
        return size

    async def list(self) -> int:
        entries = await self.fs._find(self.bucket, detail=True)  # noqa: SLF001
        return sum(entry["size"] is not None for entry in entries.values())

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        path, wanted = f"{self.bucket}/{key}", columns_of(columns)
        begin, end = footer_of(columns)
        footer = await self.fs._cat_file(path, start=begin, end=end)  # noqa: SLF001
        starts, ends = zip(*wanted, strict=True)
        chunks = await self.fs._cat_ranges([path] * columns, list(starts), list(ends))  # noqa: SLF001
        return len(footer) + sum(map(len, chunks))


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        made = S3(url, bucket)
        self.fs = type(made.fs)(**{**made.fs.storage_options, "asynchronous": False, "skip_instance_cache": True})
        self.bucket = bucket

    def get(self, key: str) -> int:
        return len(self.fs.cat_file(f"{self.bucket}/{key}"))
