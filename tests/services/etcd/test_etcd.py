"""What the behaviour suite does not check of the etcd service: versions, users, limits, and servers that are none."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    Unexpected,
)
from entrepot.services import Etcd
from entrepot.testing import EtcdServer, Fault, FaultProxy, FaultScript, etcd
from tests.behavior.targets import new_root


@pytest.fixture
def config(etcd_server: EtcdServer) -> Etcd:
    return Etcd(etcd_server.endpoint, root=new_root())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"endpoint": "http://a:1,http://b:1"}, "comma"),
        ({"endpoint": "ftp://a"}, "http"),
        ({"endpoint": "http://u:secret@a"}, "username and password are options"),
        ({"endpoint": "http://a/v3"}, "a host and a port"),
        ({"username": "u"}, "belong together"),
        ({"default_ttl": 0.5}, "default_ttl"),
        ({"root": "a\0"}, "root"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Etcd(**values)
    assert "secret" not in str(caught.value)


def test_uris() -> None:
    config = Etcd.from_uri("etcd://u:secret@host:7/some/root?ttl=5m")
    assert (config.endpoint, config.root, config.default_ttl) == ("http://host:7", "/some/root", 300)
    assert (config.username, config.password) == ("u", "secret")
    assert "secret" not in repr(Operator(config))


async def test_versions_are_read_until_they_are_compacted(config: Etcd, etcd_server: EtcdServer) -> None:
    op = Operator(config)
    first = await op.write("a", b"1")
    await op.write("other", b"")
    second = await op.write("a", b"22")
    await op.delete("a")
    assert first.version
    assert await op.read("a", version=first.version) == b"1"
    assert (await op.stat("a", version=second.version)).etag == second.etag
    for version in (str(int(first.version) + 1), "9" * 18, "0", "-1", "x"):
        with pytest.raises(NotFound):
            await op.read("a", version=version)
    etcd_server.call("/v3/kv/compaction", {"revision": second.version})
    with pytest.raises(NotFound):
        await op.read("a", version=first.version)


async def test_conditions_are_part_of_the_transaction(config: Etcd) -> None:
    op = Operator(config)
    first = await op.write("a", b"1")
    results = await asyncio.gather(
        *(op.write("a", b"%d" % number, if_match=first.etag) for number in range(6)), return_exceptions=True
    )
    assert sum(isinstance(result, ConditionNotMatch) for result in results) == 5
    with pytest.raises(ConditionNotMatch):
        await op.delete("a", if_match=first.etag)
    with pytest.raises(ConditionNotMatch):
        await op.write("a", b"x", if_match="no revision")
    await op.write("a", b"any", if_match="*")
    with pytest.raises(ConditionNotMatch):
        await op.write("missing", b"x", if_match="*")


async def test_times_to_live(config: Etcd) -> None:
    op = Operator(Etcd(config.endpoint, root=config.root, default_ttl=1))
    await op.write("a", b"1")
    assert await op.read("a") == b"1"
    for _ in range(100):
        if not await op.exists("a"):
            return
        await asyncio.sleep(0.1)
    pytest.fail("it did not expire")


async def test_limits_of_a_server(tmp_path: Path) -> None:
    with etcd(tmp_path, "--max-request-bytes", "10000", "--quota-backend-bytes", "100000") as server:
        op = Operator(Etcd(server.endpoint), resilient=False)
        with pytest.raises(InvalidInput, match="larger"):
            await op.write("a", bytes(20_000))
        with pytest.raises(StorageFull):
            for number in range(200):
                await op.write(f"a{number}", bytes(9000))
        with pytest.raises(InvalidInput):
            await op.write("a", bytes(1_500_001))


async def test_users(tmp_path: Path) -> None:
    with etcd(tmp_path, "--auth-token-ttl", "1") as server:
        server.call("/v3/auth/user/add", {"name": "root", "password": "right"})
        server.call("/v3/auth/user/add", {"name": "guest", "password": "right"})
        server.call("/v3/auth/role/add", {"name": "root"})
        server.call("/v3/auth/role/add", {"name": "some"})
        key = {"key": b64encode(b"open/").decode(), "range_end": b64encode(b"open0").decode(), "permType": "READWRITE"}
        server.call("/v3/auth/role/grant", {"name": "some", "perm": key})
        server.call("/v3/auth/user/grant", {"user": "root", "role": "root"})
        server.call("/v3/auth/user/grant", {"user": "guest", "role": "some"})
        server.call("/v3/auth/enable", {})
        guest = Operator(Etcd(server.endpoint, username="guest", password="right"), resilient=False)
        await guest.write("open/a", b"1")
        with pytest.raises(PermissionDenied, match="may not"):
            await guest.write("closed/a", b"1")
        for wrong in ({}, {"username": "guest", "password": "wr0ng"}, {"username": "no", "password": "wr0ng"}):
            with pytest.raises(PermissionDenied) as caught:
                await Operator(Etcd(server.endpoint, **wrong)).read("open/a")
            assert "wr0ng" not in str(caught.value)
        await asyncio.sleep(2.1)  # the token expires
        assert await guest.read("open/a") == b"1"


async def test_a_write_that_is_cut_stores_all_or_nothing(config: Etcd, etcd_server: EtcdServer) -> None:
    old, new = b"o" * 200_000, b"n" * 300_000
    half, lost = Fault("reset", after=200_000, way="up"), Fault("reset")
    with FaultProxy(etcd_server.endpoint) as proxy:
        direct, config = Operator(config), replace(config, endpoint=proxy.endpoint)
        async with direct, Operator(config, resilient=False) as op:
            await op.write("a", old)
            for fault, content in ((half, old), (Fault("truncate", after=200_000, way="up"), old), (lost, new)):
                proxy.plan(FaultScript([fault]))
                with pytest.raises(Unexpected) as caught:
                    await op.write("a", new)
                assert caught.value.is_temporary
                assert await direct.read("a") == content  # by no connection that a fault may have ended
            for fault in (half, lost):
                before = await direct.read("a")
                writer = await op.writer("a", append=True)
                await writer.write(new)
                proxy.plan(FaultScript([None, None, fault]))  # after the end and the value were read
                with pytest.raises(Unexpected):
                    await writer.close()
                await writer.close()
                assert await direct.read("a") == before + new
            assert proxy.counts()["reset"] == 4
        async with Operator(config) as op:
            proxy.plan(FaultScript([half, lost]))
            await op.write("a", old)
            assert await op.read("a") == old
            proxy.plan(FaultScript([lost]))
            with pytest.raises(Unexpected) as caught:
                await op.write("b", new, if_not_exists=True)
            assert caught.value.context["may_have_taken_effect"]
            etag = (await op.stat("b")).etag
            proxy.plan(FaultScript([lost]))
            with pytest.raises(Unexpected) as caught:
                await op.delete("b", if_match=etag)
            assert caught.value.context["may_have_taken_effect"]
            assert not await op.exists("b")


@pytest.mark.parametrize(
    ("status", "body", "is_temporary"),
    [
        (200, b"<html>secret</html>", False),
        (502, b"<html>secret</html>", True),
        (404, b"{}", False),
        (200, b"[]", False),
    ],
)
async def test_a_server_that_is_none(status: int, body: bytes, *, is_temporary: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        op = Operator(Etcd(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), resilient=False)
        with pytest.raises(Unexpected) as caught:
            await op.read("a")
        assert caught.value.is_temporary == is_temporary
        assert "secret" not in str(caught.value)
        await op.close()


def test_blocking_calls_need_no_loop(config: Etcd) -> None:
    op = Operator(config).blocking()
    op.write("a", b"1")
    assert op.read("a") == b"1"
    assert [entry.path for entry in op.list("/")] == ["/", "a"]


async def test_pages_go_on_after_keys_that_are_not_text(config: Etcd, etcd_server: EtcdServer) -> None:
    op = Operator(config)
    root = op.info.root[1:].encode()
    for name in (b"a", b"a\x80", b"a\xc3\xa9", b"d/\xff", b"d/\xff1", b"e", b"f\xff", b"f\xff1"):
        message = {"key": b64encode(root + name).decode(), "value": ""}
        etcd_server.call("/v3/kv/put", message)
    for recursive in (True, False):
        entries = await op.list("/", recursive=recursive, limit=1)
        assert [entry.path for entry in entries if not entry.is_dir] == ["a", "aé", "e"]
