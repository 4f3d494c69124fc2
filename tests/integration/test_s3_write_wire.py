"""Writing, listing, deleting and copying against real servers that check signatures; botocore looks on."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import botocore.config
import botocore.session
import pytest

from entrepot import ConditionNotMatch, ConfigInvalid, EntryMode, Error, NotFound, Operator, PermissionDenied
from entrepot.errors import DeletionsFailed
from entrepot.services import S3
from entrepot.testing import S3Server, SeaweedFS

MIB = 1024**2
ODD_KEYS = [
    "käse/日本語/🦆.txt",
    "e\u0301 and \u00e9",
    " blanks  inside and around ",
    "a+b",
    "a%2Fb",
    "a%20b%",
    "~tilde_-.",
    "question?versionId=1&x=y",
    "hash#part",
    "quotes'\"`",
    "(sub)!*",
    "a;b:c@d=e,f$g",
    "<Key>&amp;]]></Key>",
    "tab\there",
    "...",
    "..a/.b/c.",
    "l" * 200 + "/" + "o" * 200 + "/" + "ö" * 80,
]
CONTROL_KEYS = ["bell\x07", "del\x7f\x1f"]
UNNORMALIZED_KEYS = ["a//b", "./a", "a/../b", "a/."]
_serial = count()


without_ceph = pytest.mark.parametrize("server", ["seaweedfs_server", "moto_server"], indirect=True)


@pytest.fixture(params=["seaweedfs_server", "moto_server", pytest.param("radosgw_server", marks=pytest.mark.servers)])
def server(request: pytest.FixtureRequest) -> S3Server:
    return request.getfixturevalue(request.param)


def config(server: S3Server, **values: Any) -> S3:
    given = {
        "bucket": server.bucket,
        "root": f"wire-{os.getpid()}-{next(_serial)}",
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }
    return S3(**{**given, **values})


@pytest.fixture
async def op(server: S3Server) -> AsyncIterator[Operator]:
    async with Operator(config(server), resilient=False) as operator:
        yield operator


@pytest.fixture
def boto(server: S3Server) -> Iterator[Any]:
    settings = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    client = botocore.session.Session().create_client(
        "s3",
        region_name=server.region,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=settings,
    )
    yield client
    client.close()


def uploads(boto: Any, op: Operator) -> list[str]:
    prefix = op.info.root[1:]
    found = boto.list_multipart_uploads(Bucket=op.info.name).get("Uploads", [])
    return [one["Key"] for one in found if one["Key"].startswith(prefix)]


def stored(boto: Any, op: Operator, path: str) -> Any:
    return boto.get_object(Bucket=op.info.name, Key=op.info.root[1:] + path)


async def test_a_small_object_is_stored_with_what_is_beside_it(op: Operator, boto: Any) -> None:
    told = await op.write(
        "k",
        b"content",
        content_type="text/x-test",
        content_disposition='attachment; filename="a b"',
        content_encoding="x-none",
        cache_control="no-cache",
        user_metadata={"Owner": "Me  too", "a-b": "1"},
    )
    seen = stored(boto, op, "k")
    assert seen["Body"].read() == b"content"
    assert (seen["ETag"], seen["ContentLength"]) == (told.etag, told.content_length)
    assert (seen["ContentType"], seen["ContentEncoding"]) == ("text/x-test", "x-none")
    assert (seen["ContentDisposition"], seen["CacheControl"]) == ('attachment; filename="a b"', "no-cache")
    assert seen["Metadata"] == {"owner": "Me  too", "a-b": "1"}
    assert (await op.stat("k")).user_metadata == {"owner": "Me  too", "a-b": "1"}


async def test_an_empty_object_is_stored(op: Operator, boto: Any) -> None:
    told = await op.write("empty", b"")
    assert (stored(boto, op, "empty")["ContentLength"], told.content_length) == (0, 0)


@pytest.mark.parametrize("options", [{"unsigned_payload": True}, {"checksum_algorithm": "md5"}])
async def test_content_that_is_sent_otherwise_is_taken_whole_and_in_parts(
    server: S3Server, options: dict[str, Any]
) -> None:
    content = os.urandom(MIB) * 11
    async with Operator(config(server, **options), resilient=False) as op:
        for size in (0, 3, 2 * MIB, 11 * MIB):
            told = await op.write("k", content[:size], chunk=5 * MIB)
            assert told.content_length == size
            assert await op.read("k") == content[:size]
        await op.copy("k", "copied")
        await op.delete_many(["k", "copied"])
        assert not await op.exists("copied")


@pytest.mark.parametrize("is_v1", [True, False])
async def test_directories_whose_names_are_encoded_in_listings_are_found(server: S3Server, is_v1: bool) -> None:
    names = ["a b+c/", "100%/", "p%41q/", "m%2Fn/", "\u00fc \u00e9/"]
    async with Operator(config(server, disable_list_objects_v2=is_v1)) as op:
        for name in names:
            await op.write(f"{name}d/k", b"")
        assert {entry.path for entry in await op.list("/")} - {"/"} == set(names)
        for name in names:
            assert [entry.path for entry in await op.list(name)][-1:] == [f"{name}d/"]


@without_ceph  # Ceph states no etag when an upload in parts is completed
async def test_a_large_object_goes_in_parts(op: Operator, boto: Any) -> None:
    content = os.urandom(MIB) * 17
    async with op.writer("large", chunk=5 * MIB, user_metadata={"k": "v"}) as writer:
        for start in range(0, len(content), 3 * MIB):
            await writer.write(content[start : start + 3 * MIB])
        assert len(uploads(boto, op)) == 1
    told = await writer.close()
    seen = stored(boto, op, "large")
    assert seen["Body"].read() == content
    assert (told.content_length, told.etag) == (17 * MIB, seen["ETag"])
    assert seen["ETag"].endswith('-4"')
    assert seen["Metadata"] == {"k": "v"}
    assert uploads(boto, op) == []


async def test_what_was_aborted_leaves_nothing(op: Operator, boto: Any) -> None:
    with suppress(LookupError):
        async with op.writer("gone", chunk=5 * MIB) as writer:
            await writer.write(bytes(6 * MIB))
            await writer.write(bytes(6 * MIB))
            assert len(uploads(boto, op)) == 1
            raise LookupError
    assert uploads(boto, op) == []
    assert not await op.exists("gone")


@without_ceph  # Ceph refuses the right etag too
async def test_conditions_decide_which_write_takes_effect(op: Operator) -> None:
    first = await op.write("k", b"1", if_not_exists=True)
    assert first.etag is not None
    for options in ({"if_not_exists": True}, {"if_match": '"other"'}):
        with pytest.raises(ConditionNotMatch) as caught:
            await op.write("k", b"2", **options)
        assert (caught.value.operation, caught.value.path) == ("write", "k")
    with pytest.raises(ConditionNotMatch):
        await op.write("missing", b"2", if_match=first.etag)
    second = await op.write("k", b"3", if_match=first.etag)
    assert second.etag != first.etag
    assert await op.read("k") == b"3"
    assert not await op.exists("missing")


@without_ceph  # Ceph ignores conditions of an upload in parts
async def test_conditions_hold_for_an_object_in_parts(op: Operator, boto: Any, server: S3Server) -> None:
    etag = (await op.write("k", b"1")).etag
    conditions: list[dict[str, Any]] = [{"if_not_exists": True}]
    if isinstance(server, SeaweedFS):  # moto ignores If-Match where an upload is completed
        conditions.append({"if_match": '"other"'})
    for options in conditions:
        with pytest.raises(ConditionNotMatch):
            await op.write("k", [bytes(5 * MIB)] * 2, chunk=5 * MIB, **options)
    assert await op.read("k") == b"1"
    assert uploads(boto, op) == []
    await op.write("k", [bytes(5 * MIB)] * 2, chunk=5 * MIB, if_match=etag)
    assert (await op.stat("k")).content_length == 10 * MIB


async def test_of_eight_that_create_at_once_one_wins(op: Operator) -> None:
    async def create(number: int) -> int | None:
        try:
            await op.write("lock", f"{number}".encode(), if_not_exists=True)
        except ConditionNotMatch:
            return None
        return number

    winners = [one for one in await asyncio.gather(*map(create, range(8))) if one is not None]
    assert len(winners) == 1
    assert await op.read("lock") == f"{winners[0]}".encode()


async def test_odd_keys_come_back_from_every_operation(op: Operator) -> None:
    keys = ODD_KEYS
    for key in keys:
        await op.write(key, key.encode())
    listed = await op.list("/", recursive=True)
    assert sorted(one.path for one in listed if one.metadata.is_file) == sorted(keys)
    assert {one.path: one.metadata.content_length for one in listed if one.metadata.is_file} == {
        key: len(key.encode()) for key in keys
    }
    for key in keys:
        assert await op.read(key) == key.encode()
        assert await op.list(key) == [one for one in await op.list(key) if one.path.startswith(key)] != []
        await op.copy(key, f"copy/{key}")
        assert await op.read(f"copy/{key}") == key.encode()
    await op.delete_many([*keys, *(f"copy/{key}" for key in keys)])
    assert [one.path for one in await op.list("/", recursive=True) if one.metadata.is_file] == []


@pytest.mark.parametrize("limit", [1, 2, 3, None])
async def test_a_listing_is_the_same_whatever_its_pages(server: S3Server, limit: int | None) -> None:
    names = ["a", "a b", "a+b", "b/c", "b/d/e", "b/é", "c%2F", "d/"]
    # moto repeats every prefix on every page of the first version
    for is_v1 in (False, True) if isinstance(server, SeaweedFS) else (False,):
        async with Operator(config(server, disable_list_objects_v2=is_v1), resilient=False) as op:
            await asyncio.gather(*(op.create_dir(one) if one == "d/" else op.write(one, b"x") for one in names))
            deep = await op.list("/", recursive=True, limit=limit)
            assert sorted(one.path for one in deep if one.metadata.is_file) == sorted(names[:-1])
            assert len({one.path for one in deep}) == len(deep)
            flat = await op.list("/", limit=limit)
            assert sorted(one.path for one in flat) == sorted(["/", "a", "a b", "a+b", "b/", "c%2F", "d/"])
            assert sorted(one.path for one in await op.list("b/", limit=limit)) == ["b/", "b/c", "b/d/", "b/é"]
            assert sorted(one.path for one in await op.list("a", limit=limit)) == ["a", "a b", "a+b"]
            after = await op.list("/", start_after="a b", recursive=True, limit=limit)
            assert sorted(one.path for one in after if one.metadata.is_file) == ["a+b", "b/c", "b/d/e", "b/é", "c%2F"]


async def test_a_listing_tells_length_etag_and_time(op: Operator) -> None:
    await op.write("d/k", b"12345")
    entries = await op.list("d/")
    assert [(one.path, one.metadata.mode) for one in entries] == [("d/", EntryMode.DIR), ("d/k", EntryMode.FILE)]
    found, stat = entries[1].metadata, await op.stat("d/k")
    assert (found.content_length, found.etag, found.last_modified and found.last_modified.replace(microsecond=0)) == (
        5,
        stat.etag,
        stat.last_modified,
    )


async def test_what_is_not_there_lists_as_nothing(op: Operator) -> None:
    assert await op.list("nothing/") == []
    assert await op.list("nothing") == []


async def test_many_are_deleted_and_what_is_missing_too(op: Operator, server: S3Server) -> None:
    names = [f"d/{number}&<" for number in range(25)]
    await asyncio.gather(*(op.write(one, b"x") for one in names))
    await op.delete_many([*names, "missing", *CONTROL_KEYS])
    assert [one.path for one in await op.list("/", recursive=True) if one.metadata.is_file] == []
    await op.delete("missing")


async def test_a_recursive_deletion_takes_the_directory_and_no_neighbour(op: Operator) -> None:
    await asyncio.gather(*(op.write(one, b"x") for one in ("a/b", "a/c/d", "ab", "b")))
    await op.delete("a/", recursive=True)
    assert sorted(one.path for one in await op.list("/", recursive=True) if one.metadata.is_file) == ["ab", "b"]


async def test_a_copy_has_what_its_source_has(op: Operator) -> None:
    await op.write("s", b"content", content_type="text/x-test", user_metadata={"k": "v"})
    told = await op.copy("s", "deep/t")
    found = await op.stat("deep/t")
    assert (found.content_length, found.content_type, dict(found.user_metadata)) == (7, "text/x-test", {"k": "v"})
    assert told.etag == found.etag
    with pytest.raises(NotFound):
        await op.copy("missing", "t")


@pytest.mark.parametrize("options", [{"if_not_exists": True}, {"if_match": '"other"'}])
async def test_a_condition_of_a_copy_leaves_the_target_alone(
    seaweedfs_server: S3Server, options: dict[str, Any]
) -> None:
    """moto ignores If-Match on a copy."""
    async with Operator(config(seaweedfs_server), resilient=False) as op:
        await op.write("s", b"new")
        etag = (await op.write("t", b"old")).etag
        with pytest.raises(ConditionNotMatch):
            await op.copy("s", "t", **options)
        assert await op.read("t") == b"old"
        await op.copy("s", "t", if_match=etag)
        await op.copy("s", "u", if_not_exists=True)
        assert await op.read("t") == await op.read("u") == b"new"


async def test_versions_are_listed_read_restored_and_removed(server: S3Server, boto: Any) -> None:
    bucket = f"versions-{os.getpid()}-{next(_serial)}"
    boto.create_bucket(Bucket=bucket)
    boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    async with Operator(config(server, bucket=bucket), resilient=False) as op:
        first, second = await op.write("k", b"1"), await op.write("k", b"22")
        await op.write("other", b"x")
        await op.delete("k")
        assert first.version is not None
        assert first.version != second.version
        told = await versions(op, versions=True)
        assert sorted(told) == sorted([("k", first.version, False, 1), ("k", second.version, False, 2), told[-1]])
        assert told[-1][0] == "other"
        assert await versions(op, versions=True, limit=1) == told
        both = await op.list("/", recursive=True, versions=True, deleted=True)
        assert [one.path for one in both if one.metadata.is_deleted] == ["k"]
        current = [one for one in await op.list("/", recursive=True, deleted=True) if one.path != "/"]
        assert sorted((one.path, one.metadata.is_deleted) for one in current) == [("k", True), ("other", False)]
        assert await op.read("k", version=first.version) == b"1"
        await op.copy("k", "k", source_version=first.version)
        assert await op.read("k") == b"1"
        await op.delete("k", version=second.version)
        await op.delete("k", version=second.version)
        with pytest.raises(NotFound):
            await op.stat("k", version=second.version)
        await op.delete_many(entry for entry in await op.list("k", versions=True, deleted=True))
        assert await op.list("k", versions=True, deleted=True) == []


async def versions(op: Operator, **options: Any) -> list[tuple[Any, ...]]:
    found = [one for one in await op.list("/", recursive=True, **options) if one.metadata.is_file]
    return [(one.path, one.metadata.version, one.metadata.is_current, one.metadata.content_length) for one in found]


@pytest.mark.parametrize(
    ("operation", "arguments"), [("write", ("k", b"x")), ("delete", ("k",)), ("list", ("/",)), ("copy", ("k", "t"))]
)
async def test_errors_are_typed_for_each_operation(
    moto_server: S3Server, operation: str, arguments: tuple[Any, ...]
) -> None:
    """SeaweedFS makes a bucket that is not there."""
    wrong: list[tuple[dict[str, str], type[Error]]] = [
        ({"bucket": "no-such-bucket"}, ConfigInvalid),
        ({"secret_access_key": "wrong"}, PermissionDenied),
    ]
    for values, kind in wrong:
        async with Operator(config(moto_server, **values), resilient=False) as op:
            with pytest.raises(kind) as caught:
                await getattr(op, operation)(*arguments)
            error = caught.value
            assert (type(error), error.scheme, error.operation, error.path) == (kind, "s3", operation, arguments[0])


async def test_many_deletions_with_wrong_keys_are_refused(server: S3Server) -> None:
    async with Operator(config(server, secret_access_key="wrong"), resilient=False) as op:
        with pytest.raises(DeletionsFailed) as caught:
            await op.delete_many(["a", "b"])
    assert [(type(one), one.path) for one in caught.value.failures] == [
        (PermissionDenied, "a"),
        (PermissionDenied, "b"),
    ]


@pytest.mark.parametrize("key", [*UNNORMALIZED_KEYS, *CONTROL_KEYS, "back\\slash"])
async def test_keys_that_servers_would_rather_change_are_kept(moto_server: S3Server, key: str) -> None:
    """SeaweedFS keeps none of these."""
    async with Operator(config(moto_server), resilient=False) as op:
        await op.write(key, b"content")
        assert [one.path for one in await op.list("/", recursive=True) if one.metadata.is_file] == [key]
        assert await op.read(key) == b"content"
        await op.copy(key, "copy")
        assert await op.read("copy") == b"content"
        await op.delete_many([key, "copy"])
        assert [one.path for one in await op.list("/", recursive=True) if one.metadata.is_file] == []
