"""entrepot itself."""

from dataclasses import replace
from typing import Any, ClassVar

from benchmarks.workloads import FOOTER, MEMORY_CHUNK, MEMORY_SIZE

from . import CONTENT, KEYS, PART, columns_of, pieces_of, tables

PACKAGE = "entrepot"


class S3:
    OPTIONS: ClassVar[dict[str, str]] = {}
    """Options of the configuration that are not the defaults."""

    def __init__(self, url: str, bucket: str) -> None:
        from entrepot import Operator
        from entrepot.services import S3

        config = S3(bucket=bucket, endpoint=url, **KEYS, **self.OPTIONS)
        self.op = Operator(config)
        self.unsigned = Operator(replace(config, unsigned_payload=True))

    async def get(self, key: str) -> int:
        return len(await self.op.read(key))

    whole = get

    async def put(self, key: str) -> int:
        return (await self.op.write(key, CONTENT)).content_length or 0

    async def stream(self, key: str) -> int:
        return await _streamed(self.op.reader(key))

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        return await _streamed(self.op.reader(key, chunk=PART, concurrent=at_once, content_length_hint=size))

    async def upload(self, key: str, size: int, at_once: int) -> int:
        return await _upload(self.op, key, size, at_once)

    async def upload_unsigned(self, key: str, size: int, at_once: int) -> int:
        return await _upload(self.unsigned, key, size, at_once)

    async def list(self) -> int:
        count = 0
        async for entry in self.op.lister("", recursive=True):
            count += entry.metadata.content_length is not None
        return count

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        footer = await self.op.read_with(key).range(suffix=FOOTER)
        async with self.op.reader(key) as reader:
            chunks = await reader.fetch_views(columns_of(columns))
        return len(footer) + sum(map(len, chunks))


async def _streamed(reader: Any) -> int:
    size = 0
    async for chunk in reader:
        size += len(chunk)
    return size


async def _upload(op: Any, key: str, size: int, at_once: int) -> int:
    async with op.writer(key, chunk=PART, concurrent=at_once) as writer:
        for piece in pieces_of(size):
            await writer.write(piece)
    return size


class Local:
    def __init__(self, folder: str) -> None:
        from entrepot import Operator
        from entrepot.services import Fs

        self.op = Operator(Fs(folder))

    async def read(self, path: str) -> int:
        return len(await self.op.read(path))

    whole = read

    async def stat(self, path: str) -> int:
        return (await self.op.stat(path)).content_length or 0

    async def list(self, path: str) -> int:
        count = 0
        async for entry in self.op.lister(f"{path}/"):
            count += entry.metadata.is_file
        return count

    async def walk(self, path: str) -> int:
        count = 0
        async for entry in self.op.lister(f"{path}/", recursive=True):
            count += entry.metadata.is_file
        return count

    async def stream(self, path: str) -> int:
        return await _streamed(self.op.reader(path))

    async def chunks(self, path: str, size: int) -> int:
        return await _streamed(self.op.reader(path, chunk=size))

    async def write(self, path: str, size: int) -> int:
        async with self.op.writer(path) as writer:
            for piece in pieces_of(size):
                await writer.write(piece)
        return size


class Memory:
    def __init__(self) -> None:
        from entrepot import Operator
        from entrepot.services import Memory

        self.op = Operator(Memory())
        self._is_filled = False

    async def read(self) -> int:
        if not self._is_filled:
            await self._fill("byte", 1)
        return len(await self.op.read("byte"))

    async def stream(self) -> int:
        if not self._is_filled:
            await self._fill("large", MEMORY_SIZE)
        count = 0
        async for _ in self.op.reader("large", chunk=MEMORY_CHUNK):
            count += 1
        return count

    async def _fill(self, path: str, size: int) -> None:
        await self.op.write(path, bytes(size))
        self._is_filled = True


class LayeredMemory(Memory):
    def __init__(self) -> None:
        super().__init__()
        from entrepot.layers import MetricsLayer, RetryLayer, TimeoutLayer

        self.op = self.op.layer(TimeoutLayer()).layer(RetryLayer()).layer(MetricsLayer())


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self.op = S3(url, bucket).op.blocking()

    def get(self, key: str) -> int:
        return len(self.op.read(key))


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self.op = Local(folder).op.blocking()

    def read(self, path: str) -> int:
        return len(self.op.read(path))

    def stat(self, path: str) -> int:
        return self.op.stat(path).content_length or 0
