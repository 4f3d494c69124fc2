"""obstore: object_store, in Rust."""

from typing import Any

from benchmarks.workloads import FOOTER

from . import CONTENT, KEYS, PART, PIECE, columns_of, gathered, pieces_of, ranges_of, tables

PACKAGE = "obstore"


def _s3(url: str, bucket: str, *, is_payload_signed: bool = True) -> Any:
    from obstore.store import S3Store

    options: dict[str, Any] = {"client_options": {"allow_http": True}, "virtual_hosted_style_request": False}
    options["unsigned_payload"] = not is_payload_signed
    return S3Store(bucket, endpoint=url, **KEYS, **options)


def _local(folder: str) -> Any:
    from obstore.store import LocalStore

    return LocalStore(folder)


class _Store:
    def __init__(self, store: Any) -> None:
        self.store = store

    async def get(self, key: str) -> int:
        return len(await (await self.store.get_async(key)).bytes_async())

    read = get

    async def put(self, key: str) -> int:
        await self.store.put_async(key, CONTENT, use_multipart=False)
        return len(CONTENT)

    async def stat(self, path: str) -> int:
        return (await self.store.head_async(path))["size"]

    async def stream(self, key: str) -> int:
        return await self.chunks(key, PIECE)

    async def chunks(self, key: str, chunk_size: int) -> int:
        size = 0
        async for chunk in (await self.store.get_async(key)).stream(min_chunk_size=chunk_size):
            size += len(chunk)
        return size

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        async def read_range(begin: int, end: int) -> int:
            return len(await self.store.get_range_async(key, start=begin, end=end))

        return sum(await gathered(read_range, ranges_of(size), at_once))

    async def upload(self, key: str, size: int, at_once: int) -> int:
        return await _upload(self.store, key, size, at_once)

    async def write(self, path: str, size: int) -> int:
        return await self.upload(path, size, 1)

    async def list(self, prefix: str | None = None) -> int:
        count = 0
        async for page in self.store.list(prefix, chunk_size=1000):
            count += sum(entry["size"] is not None for entry in page)
        return count

    async def walk(self, path: str) -> int:
        return await self.list(path)  # its listings are always recursive

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        footer = await (await self.store.get_async(key, options={"range": {"suffix": FOOTER}})).bytes_async()
        starts, ends = zip(*columns_of(columns), strict=True)
        chunks = await self.store.get_ranges_async(key, starts=starts, ends=ends)
        return len(footer) + sum(map(len, chunks))


async def _upload(store: Any, key: str, size: int, at_once: int) -> int:
    import obstore

    async with obstore.open_writer_async(store, key, buffer_size=PART, max_concurrency=at_once) as writer:
        for piece in pieces_of(size):
            await writer.write(piece)
    return size


class S3(_Store):
    def __init__(self, url: str, bucket: str) -> None:
        super().__init__(_s3(url, bucket))
        self.unsigned = _s3(url, bucket, is_payload_signed=False)

    async def upload_unsigned(self, key: str, size: int, at_once: int) -> int:
        return await _upload(self.unsigned, key, size, at_once)


class Local(_Store):
    def __init__(self, folder: str) -> None:
        super().__init__(_local(folder))


class Memory:
    def __init__(self) -> None:
        from obstore.store import MemoryStore

        self.store = MemoryStore()
        self.store.put("byte", b"1")

    async def read(self) -> int:
        return len(await (await self.store.get_async("byte")).bytes_async())


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self.store = _s3(url, bucket)

    def get(self, key: str) -> int:
        return len(self.store.get(key).bytes())


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self.store = _local(folder)

    def read(self, path: str) -> int:
        return len(self.store.get(path).bytes())

    def stat(self, path: str) -> int:
        return self.store.head(path)["size"]
