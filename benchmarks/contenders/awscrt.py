"""awscrt: the S3 client of the AWS Common Runtime, in C, which boto3 and the AWS CLI can use for transfers.

It is made for large objects, which it always transfers by several requests at once: a "stream" is of that kind too. It
never signs the content.
"""

import io
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from benchmarks.workloads import FOOTER

from . import CONTENT, KEYS, PART, PIECE, columns_of, gathered, tables

PACKAGE = "awscrt.s3"
COLUMNS_AT_ONCE = 8


def _client(url: str) -> Any:
    from awscrt import auth, s3

    keys = auth.AwsCredentialsProvider.new_static(KEYS["access_key_id"], KEYS["secret_access_key"])
    signing = s3.create_default_s3_signing_config(region=KEYS["region"], credential_provider=keys)
    mode = s3.S3RequestTlsMode.ENABLED if url.startswith("https:") else s3.S3RequestTlsMode.DISABLED
    return s3.S3Client(region=KEYS["region"], tls_mode=mode, signing_config=signing, part_size=PART)


class _Requests:
    """The requests. Their content arrives in callbacks on threads of the client."""

    def __init__(self, url: str, bucket: str) -> None:
        from awscrt import http, s3

        self._http, self._types = http, s3.S3RequestType
        self._host = urlsplit(url).netloc
        self._bucket = bucket
        self._client = _client(url)

    def get(self, key: str, byte_range: str | None = None, **options: Any) -> tuple["Future[None]", list[bytes]]:
        """The future of the response, and the list that its content is collected in."""
        chunks: list[bytes] = []

        def take(chunk: bytes, **_: Any) -> None:
            chunks.append(chunk)

        headers = [] if byte_range is None else [("Range", byte_range)]
        request = self._request("GET", key, headers)
        made = self._client.make_request(type=self._types.GET_OBJECT, request=request, on_body=take, **options)
        return made.finished_future, chunks

    def put(self, key: str, content: io.IOBase, size: int, **options: Any) -> "Future[None]":
        request = self._request("PUT", key, [("Content-Length", str(size))], content)
        made = self._client.make_request(type=self._types.PUT_OBJECT, request=request, **options)
        return made.finished_future

    def _request(self, method: str, key: str, headers: list[tuple[str, str]], content: io.IOBase | None = None) -> Any:
        stated = self._http.HttpHeaders([("Host", self._host), *headers])
        return self._http.HttpRequest(method, f"/{self._bucket}/{key}", stated, content)


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        self._requests = _Requests(url, bucket)

    async def get(self, key: str, byte_range: str | None = None) -> int:
        future, chunks = self._requests.get(key, byte_range)
        await _done(future)
        return len(b"".join(chunks))

    async def put(self, key: str) -> int:
        await _done(self._requests.put(key, io.BytesIO(CONTENT), len(CONTENT)))
        return len(CONTENT)

    async def stream(self, key: str) -> int:
        return await self._counted(key)

    async def ranges(self, key: str, _size: int, at_once: int) -> int:
        return await self._counted(key, max_active_connections_override=at_once)

    async def _counted(self, key: str, **options: Any) -> int:
        future, chunks = self._requests.get(key, **options)
        await _done(future)
        return sum(map(len, chunks))

    async def upload(self, key: str, size: int, at_once: int) -> int:
        await _done(self._requests.put(key, _Zeros(size), size, max_active_connections_override=at_once))
        return size

    upload_unsigned = upload

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        wanted = [(key, f"bytes={begin}-{end - 1}") for begin, end in columns_of(columns)]
        footer = await self.get(key, f"bytes=-{FOOTER}")
        return footer + sum(await gathered(self.get, wanted, COLUMNS_AT_ONCE))


def _done(future: "Future[None]") -> Awaitable[None]:
    import asyncio

    return asyncio.wrap_future(future)


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self._requests = _Requests(url, bucket)

    def get(self, key: str) -> int:
        future, chunks = self._requests.get(key)
        future.result()
        return len(b"".join(chunks))

    def put(self, key: str) -> int:
        self._requests.put(key, io.BytesIO(CONTENT), len(CONTENT)).result()
        return len(CONTENT)


class _Zeros(io.RawIOBase):
    """A file of zeros, `size` bytes long."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._zeros = bytes(PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._left, PIECE)
        buffer[:count] = self._zeros[:count]
        self._left -= count
        return count
