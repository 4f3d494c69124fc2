"""Bare aiohttp in the simplest use: each request signed with the standard library, its body read, nothing else."""

import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.workloads import FOOTER

from . import CONTENT, KEYS, PART, columns_of, gathered, pieces_of, ranges_of, tables

PACKAGE = "aiohttp"
COLUMNS_AT_ONCE = 8
EMPTY = hashlib.sha256(b"").hexdigest()


class _Signer:
    """AWS Signature Version 4, with the key of the day kept."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._day, self._key = "", b""

    def headers(self, method: str, path: str, query: str, content: bytes | memoryview | None) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload = hashlib.sha256(content).hexdigest() if content else EMPTY
        names = "host;x-amz-content-sha256;x-amz-date"
        lines = f"host:{self._host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n"
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        scope = f"{stamp[:8]}/{KEYS['region']}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(stamp[:8]), text.encode(), "sha256").hex()
        credential = f"{KEYS['access_key_id']}/{scope}"
        return {
            "x-amz-content-sha256": payload,
            "x-amz-date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
        }

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{KEYS['secret_access_key']}".encode()
            for part in (day, KEYS["region"], "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
        return self._key


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        import aiohttp

        self._base = f"{url}/{bucket}"
        self._path = f"/{bucket}"
        self._signer = _Signer(urlsplit(url).netloc)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=256 * 1024,
        )

    def _request(
        self, method: str, key: str, query: str = "", content: Any = None, byte_range: str | None = None
    ) -> Any:
        headers = self._signer.headers(method, f"{self._path}/{key}", query, content)
        if byte_range is not None:
            headers["Range"] = byte_range
        url = f"{self._base}/{key}?{query}" if query else f"{self._base}/{key}"
        return self._session.request(method, url, headers=headers, data=content)

    async def get(self, key: str) -> int:
        async with self._request("GET", key) as response:
            return len(await response.read())

    async def put(self, key: str) -> int:
        async with self._request("PUT", key, content=CONTENT) as response:
            await response.read()
        return len(CONTENT)

    async def stream(self, key: str) -> int:
        size = 0
        async with self._request("GET", key) as response:
            async for chunk in response.content.iter_any():
                size += len(chunk)
        return size

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        return sum(await gathered(self._range, [(key, *bounds) for bounds in ranges_of(size)], at_once))

    async def _range(self, key: str, begin: int, end: int) -> int:
        async with self._request("GET", key, byte_range=f"bytes={begin}-{end - 1}") as response:
            return len(await response.read())

    async def upload(self, key: str, size: int, at_once: int) -> int:
        """The responses are not parsed: they are constant."""
        async with self._request("POST", key, "uploads=") as response:
            await response.read()
        content = b"".join(pieces_of(PART))

        async def part(number: int, length: int) -> int:
            query = f"partNumber={number}&uploadId=u1"
            async with self._request("PUT", key, query, content[:length]) as response:
                await response.read()
            return length

        numbered = [(number, end - begin) for number, (begin, end) in enumerate(ranges_of(size), 1)]
        sent = sum(await gathered(part, numbered, at_once))
        async with self._request("POST", key, "uploadId=u1", b"<CompleteMultipartUpload/>") as response:
            await response.read()
        return sent

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        async with self._request("GET", key, byte_range=f"bytes=-{FOOTER}") as response:
            footer = len(await response.read())
        return footer + sum(
            await gathered(self._range, [(key, *bounds) for bounds in columns_of(columns)], COLUMNS_AT_ONCE)
        )
