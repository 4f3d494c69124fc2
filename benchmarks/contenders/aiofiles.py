"""aiofiles: files in threads."""

from . import PIECE, pieces_of

PACKAGE = "aiofiles"


class Local:
    def __init__(self, folder: str) -> None:
        import aiofiles
        import aiofiles.os

        self.files = aiofiles
        self.folder = folder

    async def read(self, path: str) -> int:
        async with self.files.open(f"{self.folder}/{path}", "rb", buffering=0) as file:
            return len(await file.read())

    async def stat(self, path: str) -> int:
        return (await self.files.os.stat(f"{self.folder}/{path}")).st_size

    async def list(self, path: str) -> int:
        with await self.files.os.scandir(f"{self.folder}/{path}") as entries:
            return sum(entry.is_file() for entry in entries)

    async def stream(self, path: str) -> int:
        return await self.chunks(path, PIECE)

    async def chunks(self, path: str, chunk_size: int) -> int:
        size = 0
        async with self.files.open(f"{self.folder}/{path}", "rb", buffering=0) as file:
            while chunk := await file.read(chunk_size):
                size += len(chunk)
        return size

    async def write(self, path: str, size: int) -> int:
        async with self.files.open(f"{self.folder}/{path}", "wb", buffering=0) as file:
            for piece in pieces_of(size):
                await file.write(piece)
        return size
