"""opendal: Apache OpenDAL, in Rust."""

from typing import Any

from benchmarks.workloads import COLUMN

from . import CONTENT, KEYS, PART, PIECE, columns_of, footer_of, gathered, pieces_of, tables

PACKAGE = "opendal"
COLUMNS_AT_ONCE = 8


def _s3(kind: str, url: str, bucket: str) -> Any:
    import opendal

    return getattr(opendal, kind)("s3", bucket=bucket, endpoint=url, root="/", disable_config_load="true", **KEYS)


def _local(kind: str, folder: str) -> Any:
    import opendal

    return getattr(opendal, kind)("fs", root=folder)


class _Store:
    def __init__(self, op: Any) -> None:
        self.op = op

    async def get(self, key: str) -> int:
        return len(await self.op.read(key))

    read = get

    async def put(self, key: str) -> int:
        await self.op.write(key, CONTENT)
        return len(CONTENT)

    async def stat(self, path: str) -> int:
        return (await self.op.stat(path)).content_length

    async def stream(self, key: str) -> int:
        return await self.chunks(key, PIECE)

    async def chunks(self, key: str, chunk_size: int) -> int:
        size = 0
        async with await self.op.open(key, "rb") as file:
            while chunk := await file.read(chunk_size):
                size += len(chunk)
        return size

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        received = 0
        async with await self.op.open(key, "rb", chunk=PART, concurrent=at_once) as file:
            while received < size and (chunk := await file.read(PART)):
                received += len(chunk)
        return received

    async def upload(self, key: str, size: int, at_once: int) -> int:
        async with await self.op.open(key, "wb", chunk=PART, concurrent=at_once) as file:
            for piece in pieces_of(size):
                await file.write(piece)
        return size

    async def write(self, path: str, size: int) -> int:
        async with await self.op.open(path, "wb") as file:
            for piece in pieces_of(size):
                await file.write(piece)
        return size

    async def list(self, path: str = "") -> int:
        return await self._listed(f"{path}/" if path else "", recursive=not path)

    async def walk(self, path: str) -> int:
        return await self._listed(f"{path}/", recursive=True)

    async def _listed(self, path: str, *, recursive: bool) -> int:
        count = 0
        async for entry in await self.op.list(path, recursive=recursive):
            count += not entry.path.endswith("/")
        return count

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        begin, end = footer_of(columns)

        async def column(start: int, _end: int) -> int:
            return len(await self.op.read(key, offset=start, size=COLUMN))

        footer = await self.op.read(key, offset=begin, size=end - begin)
        return len(footer) + sum(await gathered(column, columns_of(columns), COLUMNS_AT_ONCE))


class S3(_Store):
    def __init__(self, url: str, bucket: str) -> None:
        super().__init__(_s3("AsyncOperator", url, bucket))

    async def upload_unsigned(self, key: str, size: int, at_once: int) -> int:
        """Writes without signing the content, as it always does."""
        return await self.upload(key, size, at_once)


class Local(_Store):
    def __init__(self, folder: str) -> None:
        super().__init__(_local("AsyncOperator", folder))


class Memory:
    def __init__(self) -> None:
        import opendal

        self.op = opendal.AsyncOperator("memory")
        self._is_filled = False

    async def read(self) -> int:
        if not self._is_filled:
            await self.op.write("byte", b"1")
            self._is_filled = True
        return len(await self.op.read("byte"))


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self.op = _s3("Operator", url, bucket)

    def get(self, key: str) -> int:
        return len(self.op.read(key))


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self.op = _local("Operator", folder)

    def read(self, path: str) -> int:
        return len(self.op.read(path))

    def stat(self, path: str) -> int:
        return self.op.stat(path).content_length
