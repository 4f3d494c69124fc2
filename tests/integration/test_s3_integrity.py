"""Checksums, encryption, locks and archived objects on real servers; botocore looks on."""

import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import botocore.config
import botocore.session
import pytest

from entrepot import ChecksumMismatch, Error, Operator, PermissionDenied, Unexpected
from entrepot.raw import Context
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.services.s3.headers.checksums import ALGORITHMS
from entrepot.testing import S3Server
from entrepot.testing.transport import RecordingTransport
from tests.conftest import s3_config

MIB = 1024**2
CONTENT = os.urandom(6 * MIB + 345)
KEY, OTHER_KEY = (b64encode(bytes([number] * 32)).decode() for number in (1, 2))


def client(server: S3Server) -> Any:
    settings = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    return botocore.session.Session().create_client(
        "s3",
        region_name=server.region,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=settings,
    )


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Calls an operation of botocore on an object of an operator."""
    clients = list[Any]()

    def call(server: S3Server, name: str, op: Operator, path: str, **options: Any) -> Any:
        clients.append(client(server))
        return getattr(clients[-1], name)(Bucket=op.info.name, Key=op.info.root[1:] + path, **options)

    yield call
    for one in clients:
        one.close()


@pytest.fixture(params=["seaweedfs_server", "moto_server", pytest.param("radosgw_server", marks=pytest.mark.servers)])
def server(request: pytest.FixtureRequest) -> S3Server:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
async def test_checksums_are_kept_and_compared(seaweedfs_server: S3Server, seen: Any, name: str) -> None:
    async with Operator(replace(s3_config(seaweedfs_server), checksum_algorithm=name), resilient=False) as op:
        await op.write("small", b"content")
        await op.write("large", CONTENT, chunk=5 * MIB)
        for path, content in (("small", b"content"), ("large", CONTENT)):
            assert await op.read(path) == content
            [checksum] = (await op.stat(path)).checksums
            stated = seen(seaweedfs_server, "head_object", op, path, ChecksumMode="ENABLED")
            assert stated[f"Checksum{name.upper()}"] == checksum.value
            assert checksum.algorithm == name
            if not checksum.is_composite:
                assert checksum.value == ALGORITHMS[name].of(content)
        assert (await op.stat("large")).checksums[0].is_composite is name.startswith("sha")


async def test_objects_of_botocore_are_compared_with_their_checksums(seaweedfs_server: S3Server, seen: Any) -> None:
    config = replace(s3_config(seaweedfs_server), response_checksum_validation="when_supported")
    async with Operator(config, resilient=False) as op:
        for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA256"):
            seen(seaweedfs_server, "put_object", op, "k", Body=CONTENT, ChecksumAlgorithm=algorithm)
            assert await op.read("k") == CONTENT
            assert [one.algorithm for one in (await op.stat("k")).checksums] == [algorithm.lower()]


@pytest.mark.parametrize("name", ["crc32", "md5"])
async def test_content_that_was_damaged_on_its_way_to_the_server_is_refused(
    seaweedfs_server: S3Server, name: str
) -> None:
    class Damaging(RecordingTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            return await super().send(request.with_content(b"c0ntent") if request.method == "PUT" else request)

    transport = Damaging()
    config = replace(s3_config(seaweedfs_server), checksum_algorithm=name, unsigned_payload=True)
    op = Operator(config, context=Context(http=transport), resilient=False)
    with pytest.raises(Unexpected, match="other content than was sent") as caught:
        await op.write("k", b"content")
    assert caught.value.is_temporary
    assert not await op.exists("k")
    await transport.close()


class _Damaged(HttpBody):
    def __init__(self, inner: HttpBody) -> None:
        self._inner = inner

    async def read(self, n: int) -> bytes:
        piece = await self._inner.read(n)
        return bytes([piece[0] ^ 1]) + piece[1:] if piece else piece

    async def close(self) -> None:
        await self._inner.close()


class DamagingReads(HttpTransport):
    """Changes a bit of each piece of content that is read."""

    def __init__(self) -> None:
        self._inner = RecordingTransport()

    async def send(self, request: HttpRequest) -> HttpResponse:
        response = await self._inner.send(request)
        if request.method == "GET":
            response.body = _Damaged(response.body)
        return response

    async def close(self) -> None:
        await self._inner.close()


async def test_content_that_was_damaged_on_the_way_is_an_error(seaweedfs_server: S3Server) -> None:
    config = replace(s3_config(seaweedfs_server), checksum_algorithm="crc32")
    async with Operator(config) as op:
        await op.write("k", CONTENT[: 3 * MIB])
    transport = DamagingReads()
    damaged = Operator(config, context=Context(http=transport))
    with pytest.raises(ChecksumMismatch) as caught:
        await damaged.read("k")
    assert (caught.value.operation, caught.value.path) == ("read", "k")
    taken = 0
    with pytest.raises(ChecksumMismatch):
        async for piece in damaged.reader("k"):
            taken += len(piece)
    assert taken < 3 * MIB
    await transport.close()


async def test_a_customers_key_encrypts_writes_parts_and_copies(seaweedfs_server: S3Server) -> None:
    config = replace(s3_config(seaweedfs_server), server_side_encryption_customer_key=KEY)
    async with Operator(config, resilient=False) as op:
        await op.write("small", b"content")
        await op.write("large", CONTENT, chunk=5 * MIB)
        await op.copy("small", "at once")
        for path, content in (("small", b"content"), ("at once", b"content"), ("large", CONTENT)):
            assert await op.read(path) == content
            assert await op.read(path, range=(2, 6)) == content[2:6]
            assert (await op.stat(path)).content_length == len(content)
        presigned = await op.presign_read("small", 60)
        assert KEY not in repr(presigned)
        with urlopen(Request(presigned.url, headers=dict(presigned.headers))) as response:
            assert response.read() == b"content"
    for other in (None, OTHER_KEY):
        async with Operator(replace(config, server_side_encryption_customer_key=other), resilient=False) as op:
            with pytest.raises(Error) as caught:
                await op.read("small")
            assert KEY not in f"{caught.value!r} {caught.value.context}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"server_side_encryption": "AES256"}, {"ServerSideEncryption": "AES256"}),
        (
            {
                "server_side_encryption": "aws:kms",
                "server_side_encryption_aws_kms_key_id": "alias/mine",
                "server_side_encryption_bucket_key_enabled": True,
            },
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/mine", "BucketKeyEnabled": True},
        ),
        ({"server_side_encryption": "aws:kms:dsse"}, {"ServerSideEncryption": "aws:kms:dsse"}),
    ],
)
async def test_new_objects_are_encrypted(
    moto_server: S3Server, seen: Any, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    async with Operator(replace(s3_config(moto_server), **values), resilient=False) as op:
        await op.write("small", b"content")
        await op.write("large", CONTENT, chunk=5 * MIB)
        await op.copy("small", "copied")
        for path in ("small", "large", "copied"):
            head = seen(moto_server, "head_object", op, path)
            if path == "large":  # moto does not state the bucket key of an object in parts
                head["BucketKeyEnabled"] = expected.get("BucketKeyEnabled")
            assert {name: head.get(name) for name in expected} == expected, path


IGNORED = [
    ("seaweedfs_server", {"server_side_encryption": "aws:kms:dsse"}),
    ("moto_server", {"server_side_encryption_customer_key": KEY}),
]


@pytest.mark.parametrize(("server", "values"), IGNORED, ids=["seaweedfs", "moto"])
async def test_an_encryption_that_the_server_ignores_is_an_error(
    request: Any, server: str, values: dict[str, Any]
) -> None:
    plain = s3_config(request.getfixturevalue(server))
    writes = {
        "small": lambda op: op.write("small", b"content"),
        "large": lambda op: op.write("large", CONTENT, chunk=5 * MIB),
        "copied": lambda op: op.copy("plain", "copied"),
    }
    async with Operator(plain, resilient=False) as unencrypted, Operator(replace(plain, **values)) as op:
        await unencrypted.write("plain", b"content")
        for path, write in writes.items():
            with pytest.raises(Error) as caught:
                await write(op)
            assert not caught.value.is_temporary
            if (server, path) != ("seaweedfs_server", "copied"):  # which refuses it
                assert "the object was stored without it, and is there now" in str(caught.value)
                assert await unencrypted.exists(path)


async def test_options_of_a_write_arrive_at_the_storage(moto_server: S3Server, seen: Any) -> None:
    options: dict[str, Any] = {
        "content_language": "de",
        "storage_class": "STANDARD_IA",
        "acl": "public-read",
        "tags": {"Project": "a b+c"},
    }
    async with Operator(s3_config(moto_server), resilient=False) as op:
        for path, content in (("small", b"content"), ("large", CONTENT)):
            await op.write(path, content, chunk=5 * MIB, **options)
            metadata = await op.stat(path)
            assert (metadata.content_language, metadata.storage_class) == ("de", "STANDARD_IA")
            assert dict(await op.get_tags(path)) == {"Project": "a b+c"}
            tags = seen(moto_server, "get_object_tagging", op, path)["TagSet"]
            assert tags == [{"Key": "Project", "Value": "a b+c"}]
            grants = seen(moto_server, "get_object_acl", op, path)["Grants"]
            assert any("AllUsers" in grant["Grantee"].get("URI", "") for grant in grants), path
        [listed] = [entry for entry in await op.list("/") if entry.path == "small"]
        assert listed.metadata.storage_class == "STANDARD_IA"


async def test_an_archived_object_says_what_to_do(moto_server: S3Server) -> None:
    async with Operator(replace(s3_config(moto_server), default_storage_class="GLACIER"), resilient=False) as op:
        await op.write("k", b"content")
        assert (await op.stat("k")).storage_class == "GLACIER"
        with pytest.raises(PermissionDenied, match="restore it") as caught:
            await op.read("k")
        assert caught.value.context["code"] == "InvalidObjectState"


async def test_locked_objects_cannot_be_deleted(server: S3Server, seen: Any) -> None:
    bucket = "entrepot-locked"
    boto = client(server)
    if bucket not in {one["Name"] for one in boto.list_buckets()["Buckets"]}:
        boto.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    boto.close()
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    async with Operator(s3_config(server, bucket), resilient=False) as op:
        retained = await op.write("retained", b"content", retain_until=until)
        held = await op.write("held", b"content", legal_hold=True)
        head = seen(server, "head_object", op, "retained")
        assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)
        assert seen(server, "head_object", op, "held")["ObjectLockLegalHoldStatus"] == "ON"
        for path, version in (("retained", retained.version), ("held", held.version)):
            with pytest.raises(PermissionDenied):
                await op.delete(path, version=version)
            assert await op.exists(path)
