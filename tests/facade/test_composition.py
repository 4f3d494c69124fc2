"""Services over another storage: how it is named, built, and what of the stack above reaches it."""

import pytest

from entrepot import ConfigInvalid, Error, Operator, PermissionDenied
from entrepot.raw import Context
from entrepot.services import S3, Memory, Zip
from entrepot.testing import FaultProxy, FaultScript
from entrepot.testing.faults import Fault
from tests.archives import Ranges, Requests, zipped
from tests.behavior.targets import new_root
from tests.conftest import http_storage

CONTENT = bytes(range(256)) * 20_000


def test_a_uri_becomes_a_configuration_when_an_operator_is_made(tmp_path):
    config = Zip("s3://bucket/dir?region=r&access_key_id=k&secret_access_key=SECRET", "a.zip")
    assert "SECRET" not in repr(config)
    built = Operator(config)
    assert "S3(bucket='bucket'" in repr(built)
    assert "SECRET" not in repr(built)
    with pytest.raises(ConfigInvalid) as refused:
        Operator(Zip("SECRET", "a.zip"))
    assert "SECRET" not in f"{refused.value!r}{refused.value}"


def test_a_chain_is_split_where_a_uri_begins():
    http = Operator.from_uri("zip://::http://[::1]:8000/dir/a%20b.zip")
    assert "Http(endpoint='http://[::1]:8000'" in repr(http)
    assert "path='a b.zip'" in repr(http)
    s3 = Operator.from_uri("zip://some/root?encoding=cp866::s3://bucket/x/y/a.zip?region=r", max_directory_size=1000)
    assert "root='/x/y/'" in repr(s3) or "root='/x/y'" in repr(s3)
    assert "root='some/root'" in repr(s3)
    assert "encoding='cp866', max_directory_size=1000" in repr(s3)
    in_root = Operator.from_uri("zip://::file:///a.zip")
    assert "root='/'" in repr(in_root)
    assert "path='a.zip'" in repr(in_root)


async def test_a_context_that_is_not_an_operators_is_refused():
    with pytest.raises(ConfigInvalid, match="operator"):
        Zip(Memory(), "a.zip").build(Context())


async def test_requests_of_the_source_go_through_the_layers_around_http(seaweedfs_server):
    requests = Requests(Zip, seaweedfs_server, new_root(), zipped({"a": CONTENT}))
    assert await requests.operator.read("a") == CONTENT
    assert len(requests.since()) == 2


async def test_a_source_is_retried_by_the_defaults_and_cut_connections_are_resumed(seaweedfs_server):
    root = new_root()
    seaweedfs_server.put(f"{root}/a.zip", zipped({"a": CONTENT, "b": b"1"}, 0))
    plan = FaultScript((Fault("reset", after=50_000), None, Fault("reset", after=1_000_000), Fault("reset", after=1)))
    with FaultProxy(seaweedfs_server.endpoint, plan) as proxy:
        source = S3(
            bucket=seaweedfs_server.bucket, root=root, endpoint=proxy.endpoint, region=seaweedfs_server.region,
            access_key_id=seaweedfs_server.access_key_id, secret_access_key=seaweedfs_server.secret_access_key,
        )  # fmt: skip
        async with Operator(Zip(source, "a.zip")) as operator:
            assert await operator.read("a") == CONTENT
            assert await operator.read("b") == b"1"
            assert operator.info.is_remote
            assert "RetryLayer" not in repr(operator)  # it is around the source, whose calls it would multiply
        assert proxy.counts()["reset"] == 3
        bare = Operator(Zip(source, "a.zip"), resilient=False)
        proxy.plan(FaultScript((None, Fault("reset", after=200_000), None)))
        async with bare, bare.reader("a") as reader:
            with pytest.raises(Error) as cut:
                await reader.read()
            assert cut.value.is_temporary
            position = reader.tell()
            assert await reader.read() == CONTENT[position:]
        wrong = Operator(Zip(S3(**{**vars(source), "secret_access_key": "wrong"}), "a.zip"))
        with pytest.raises(PermissionDenied):
            await wrong.stat("a")


async def test_an_operator_below_keeps_its_layers():
    source = Operator(Memory())
    await source.write("d/a.zip", zipped({"a": CONTENT}))
    ranges = Ranges()
    below = source.at("d/").layer(ranges)
    operator = Operator(Zip(below, "a.zip"))
    assert await operator.read("a") == CONTENT
    assert len(ranges.starts) == 2
    assert operator.blocking().read("a", range=(0, 3)) == CONTENT[:3]


async def test_an_index_is_shared_by_derived_operators():
    ranges = Ranges()
    source = Operator(Memory(), layers=(ranges,))
    await source.write("a.zip", zipped({"d/a": b"1", "b": b"2"}))
    operator = Operator(Zip(source, "a.zip"))
    assert await operator.read("b") == b"2"
    assert await operator.at("d/").layer(Ranges()).read("a") == b"1"
    assert len(ranges.starts) == 3  # the directory once, and each member


async def test_an_archive_on_a_web_server(nginx_server):
    storage = http_storage(nginx_server)
    storage.put("a b.zip", zipped({"d/a": CONTENT, "b": b"2"}))
    operator = Operator(Zip(storage.config, "a b.zip"))
    assert [entry.path for entry in await operator.list("/", recursive=True)] == ["/", "b", "d/a"]
    assert await operator.read("d/a", range=(1000, 2000)) == CONTENT[1000:2000]
    assert operator.blocking().read("d/a") == CONTENT


async def test_a_subclass_below_is_called_on_an_event_loop():
    class Mine(Operator):
        pass

    source = Mine(S3(bucket="b", region="r", skip_signature=True))
    assert not Operator(Zip(source, "a.zip"))._stack.works_without_loop
    assert Operator(Zip(Operator(Memory()), "a.zip"))._stack.works_without_loop
