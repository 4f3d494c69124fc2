"""aiobotocore: botocore over aiohttp."""

from typing import Any

from benchmarks.workloads import FOOTER

from . import AWS_KEYS, CONTENT, PART, PIECE, columns_of, gathered, pieces_of, ranges_of, tables

PACKAGE = "aiobotocore.session"
LOOPS = ("asyncio", "none")
COLUMNS_AT_ONCE = 8


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        config = AioConfig(max_pool_connections=256, s3={"addressing_style": "path"})
        self._make = get_session().create_client("s3", endpoint_url=url, config=config, **AWS_KEYS)
        self._bucket = bucket
        self._client: Any = None

    async def client(self) -> Any:
        if self._client is None:
            self._client = await self._make.__aenter__()
        return self._client

    async def get(self, key: str, **options: Any) -> int:
        client = self._client or await self.client()
        response = await client.get_object(Bucket=self._bucket, Key=key, **options)
        async with response["Body"] as body:
            return len(await body.read())

    async def put(self, key: str) -> int:
        client = self._client or await self.client()
        await client.put_object(Bucket=self._bucket, Key=key, Body=CONTENT)
        return len(CONTENT)

    async def stream(self, key: str) -> int:
        response = await (await self.client()).get_object(Bucket=self._bucket, Key=key)
        size = 0
        async with response["Body"]:
            async for chunk in response["Body"].iter_chunks(PIECE):
                size += len(chunk)
        return size

    async def ranges(self, key: str, size: int, at_once: int) -> int:
        return sum(await gathered(self._range, [(key, *bounds) for bounds in ranges_of(size)], at_once))

    async def _range(self, key: str, begin: int, end: int) -> int:
        return await self.get(key, Range=f"bytes={begin}-{end - 1}")

    async def upload(self, key: str, size: int, at_once: int) -> int:
        client = await self.client()
        place = {"Bucket": self._bucket, "Key": key}
        upload = {**place, "UploadId": (await client.create_multipart_upload(**place))["UploadId"]}
        content = b"".join(pieces_of(PART))

        async def part(number: int, length: int) -> dict[str, Any]:
            body = content[:length]
            return {
                "PartNumber": number,
                "ETag": (await client.upload_part(PartNumber=number, Body=body, **upload))["ETag"],
            }

        numbered = [(number, end - begin) for number, (begin, end) in enumerate(ranges_of(size), 1)]
        parts = await gathered(part, numbered, at_once)
        await client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
        return size

    async def list(self) -> int:
        count = 0
        pages = (await self.client()).get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        async for page in pages:
            count += sum(entry["Size"] is not None for entry in page["Contents"])
        return count

    async def tables(self, count: int, columns: int) -> int:
        return await tables(self._table, count, columns)

    async def _table(self, key: str, columns: int) -> int:
        footer = await self.get(key, Range=f"bytes=-{FOOTER}")
        return footer + sum(
            await gathered(self._range, [(key, *bounds) for bounds in columns_of(columns)], COLUMNS_AT_ONCE)
        )
