"""What the behaviour suite does not check of the redis service: configuration, odd keys, and servers that fail."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import pickle
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.exceptions as theirs
import trustme

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    Operator,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.services import Redis
from entrepot.services.redis import accessor
from entrepot.services.redis.errors import meaning_of
from entrepot.services.redis.session import LARGE, Command, RedisSession, packed
from entrepot.testing import FaultProxy, RedisServer, valkey
from tests.behavior.targets import new_root
from tests.certificates import write_certificates
from tests.few_files import few_files


@pytest.fixture
def config(valkey_server: RedisServer) -> Redis:
    return Redis(valkey_server.endpoint, root=new_root())


@pytest.fixture
def client(valkey_server: RedisServer) -> Iterator[redis.Redis]:
    with closing(redis.Redis(port=valkey_server.port)) as client:
        yield client


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"endpoint": "http://host"}, "endpoint must be"),
        ({"endpoint": "redis://host:99999"}, "port"),
        ({"endpoint": "redis://"}, "no host"),
        ({"endpoint": "redis://host/0?ssl=1"}, "endpoint must be"),
        ({"endpoint": "redis://host/1", "db": 2}, "db, which is set too"),
        ({"endpoint": "redis://:pw@host", "password": "other"}, "password, which is set too"),
        ({"db": -1}, "db"),
        ({"connection_pool_max_size": 0}, "connection_pool_max_size"),
        ({"idle_timeout": 0}, "idle_timeout"),
        ({"default_ttl": 0}, "default_ttl"),
        ({"username": "u"}, "without password"),
        ({"ca_file": "ca.pem"}, "TLS"),
        ({"endpoint": "rediss://host", "client_key": "k.pem"}, "client_certificate"),
        ({"root": "a\0"}, "root"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        Redis(**values)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("redis://host", ("host:6379", False, 0, "/", None)),
        ("rediss://u:p%40ss@host:7/2/a%20b/c", ("host:7", True, 2, "/a b/c", "p@ss")),
        ("valkey://:pw@[::1]:7/cache?db=3", ("::1:7", False, 3, "/cache", "pw")),
        ("valkeys://host/0", ("host:6379", True, 0, "/", None)),
    ],
)
def test_uris(uri: str, expected: tuple[object, ...]) -> None:
    for config in (Redis.from_uri(uri), *([] if "?" in uri else [Redis(uri)])):
        address = config.address
        assert (address.name, address.is_tls, config.db, config.root, config.password) == expected
        assert "p@ss" not in repr(config)
        assert "p%40ss" not in repr(config)
        assert pickle.loads(pickle.dumps(config)) == config


async def test_patterns_in_the_root_are_plain_characters(valkey_server: RedisServer) -> None:
    root = new_root()
    odd = Operator(Redis(valkey_server.endpoint, root=f"{root}/a*[b]?\\c^d-e"))
    plain = Operator(Redis(valkey_server.endpoint, root=f"{root}/axbyc"))
    await odd.write("x", b"1")
    await plain.write("y", b"2")
    assert [entry.path for entry in await odd.list("/")] == ["/", "x"]


async def test_only_strings_with_a_path_are_listed(config: Redis, client: redis.Redis) -> None:
    prefix = config.root
    client.lpush(f"{prefix}/list", "item")
    client.set(f"{prefix}/empty", b"")
    client.set(prefix.encode() + b"/\xff", b"")
    client.set(f"{prefix}//slash", b"")
    op = Operator(config, resilient=False)
    await op.write("text", b"1")
    async with op.lister("/", recursive=True) as lister:
        assert [(entry.path, entry.size) async for entry in lister][1:] == [("empty", 0), ("text", 1)]
        assert [error.message for error in lister.left_out()] == ["2 names here, such as '/slash', cannot be in a path"]
    for call in (op.read("list"), op.stat("list"), op.read("list", range=(0, 1)), op.write("list", b"", append=True)):
        with pytest.raises(Unexpected, match="another type"):
            await call
    await op.write("list", b"text now")
    assert await op.read("list") == b"text now"


async def test_keys_that_change_between_the_scan_and_the_sizes_are_left_out(
    config: Redis, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(name: str) -> str:
        return f"{config.root}/{name}"

    async def change_after(scan: Any) -> set[str]:
        keys: set[str] = await collected(scan)
        client.delete(key("deleted"), key("other"))
        client.lpush(key("other"), "item")
        return keys

    collected = accessor._SortedScan._collected
    client.mset({key("deleted"): "a", key("empty"): "", key("full"): "abc", key("other"): "a"})
    monkeypatch.setattr(accessor._SortedScan, "_collected", change_after)
    entries = await Operator(config, resilient=False).list("/", recursive=True)
    assert [(entry.path, entry.size) for entry in entries[1:]] == [("empty", 0), ("full", 3)]


async def test_a_long_listing_is_in_order_and_bounded(config: Redis, client: redis.Redis) -> None:
    names = [f"{number:05}" for number in range(2500)]
    client.mset({f"{config.root}/{name}": name for name in names})
    assert [entry.path async for entry in Operator(config).lister("/", limit=700)][1:] == names
    few = Operator(Redis(config.endpoint, root=config.root, max_listed_keys=100))
    with pytest.raises(Unsupported, match="max_listed_keys"):
        await few.list("/")


async def test_times_to_live(config: Redis, client: redis.Redis) -> None:
    op = Operator(Redis(config.endpoint, root=config.root, default_ttl=100))
    await op.write("a", b"1")
    await op.write("b", b"1", append=True)
    await op.copy("a", "c")
    await op.rename("c", "d")
    for name in "abd":
        assert 95 < client.ttl(f"{config.root}/{name}") <= 100
    await Operator(config).write("a", b"2")
    assert client.ttl(f"{config.root}/a") == -1


async def test_values_over_the_limit(config: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accessor, "FLAGS", accessor.replace(accessor.FLAGS, write_total_max_size=10))
    op = Operator(config)
    with pytest.raises(InvalidInput):
        await op.write("a", bytes(11))
    await op.write("a", bytes(6))
    with pytest.raises(StorageFull):
        await op.write("a", bytes(5), append=True)
    assert (await op.stat("a")).content_length == 6


async def test_refusals_of_a_server(tmp_path: Path) -> None:
    acl = "user reader on >secret ~* +@read +@connection"
    with valkey(tmp_path, "--requirepass", "right", "--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        with closing(redis.Redis(port=server.port, password="right")) as admin:
            admin.execute_command("ACL", "SETUSER", *acl.split()[1:])
        op = Operator(Redis(server.endpoint, password="right"), resilient=False)
        await op.write("a", b"1")
        for wrong in (
            Redis(server.endpoint),
            Redis(server.endpoint, password="wr0ng"),
            Redis(server.endpoint, username="x", password="wr0ng"),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await Operator(wrong).read("a")
            assert "wr0ng" not in str(caught.value)
        reader = Operator(Redis(server.endpoint, username="reader", password="secret"))
        assert await reader.read("a") == b"1"
        with pytest.raises(PermissionDenied, match="may not"):
            await reader.write("a", b"2")
        with pytest.raises(ConfigInvalid, match="database"):
            await Operator(Redis(server.endpoint, password="right", db=99), resilient=False).read("a")
        with pytest.raises(StorageFull):
            for number in range(20):
                await op.write(f"large/{number}", bytes(300_000))
        assert await op.read("a") == b"1"


async def test_a_replica_cannot_be_written(tmp_path: Path, valkey_server: RedisServer) -> None:
    with valkey(tmp_path, "--replicaof", "127.0.0.1", str(valkey_server.port)) as replica:
        op = Operator(Redis(replica.endpoint), resilient=False)
        with pytest.raises(PermissionDenied, match="replica"):
            await op.write("a", b"1")


@pytest.mark.parametrize(
    ("error", "kind", "is_temporary"),
    [
        (theirs.MovedError("1 host:6379"), ConfigInvalid, False),
        (theirs.BusyLoadingError("loading"), Unexpected, True),
        (theirs.MasterDownError("down"), Unexpected, True),
        (theirs.ResponseError("BUSY Redis is busy running a script"), Unexpected, True),
        (theirs.ResponseError("MISCONF Redis is configured to save"), StorageFull, False),
        (theirs.ResponseError("unknown command 'COPY', with args beginning with: 'secret'"), Unsupported, False),
        (theirs.ResponseError("WRONGTYPE secret"), Unexpected, False),
        (theirs.ResponseError("something new"), Unexpected, False),
    ],
)
def test_the_meaning_of_errors(error: Exception, kind: type[Error], is_temporary: bool) -> None:
    meaning = meaning_of(error)
    assert (type(meaning), meaning.is_temporary) == (kind, is_temporary)
    assert "secret" not in str(meaning)


@asynccontextmanager
async def relay(port: int, cuts: list[int], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port that leads to another. Of the first connections, each answers as many bytes as `cuts` has for it."""
    tasks, writers = list[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int = 1 << 40) -> None:
        with suppress(OSError):
            while most > 0 and (data := await reader.read(min(most, 65536))):
                writer.write(data)
                await writer.drain()
                most -= len(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, upward = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, upward))
        tasks.append(asyncio.create_task(pump(reader, upward)))
        tasks.append(asyncio.create_task(pump(upstream, writer, cuts.pop(0) if cuts else 1 << 40)))

    async with await asyncio.start_server(connect, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_tls(config: Redis, valkey_server: RedisServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with relay(valkey_server.port, [], context) as port:
        endpoint = f"rediss://127.0.0.1:{port}"
        trusting = Operator(Redis(endpoint, root=config.root, ca_file=str(tmp_path / "ca")))
        await trusting.write("a", b"1")
        careless = Operator(Redis(endpoint, root=config.root, allow_invalid_certificates=True))
        assert await careless.read("a") == b"1"
        with pytest.raises(Unexpected, match="certificate") as caught:
            await Operator(Redis(endpoint)).read("a")
        assert not caught.value.is_temporary
        for op in (trusting, careless):
            await op.close()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ca_file": "none"}, "ca_file cannot be read"),
        ({"ca_file": "text"}, "ca_file cannot be read"),
        ({"client_certificate": "none"}, "client_certificate and client_key cannot be read"),
        ({"client_certificate": "cert", "client_key": "none"}, "client_certificate and client_key cannot be read"),
        ({"client_certificate": "cert", "client_key": "locked"}, "client_certificate and client_key cannot be read"),
    ],
)
async def test_files_of_tls_that_cannot_work_are_no_broken_connection(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    write_certificates(tmp_path)
    op = Operator(Redis("rediss://127.0.0.1:1", **{option: str(tmp_path / name) for option, name in files.items()}))
    with pytest.raises(ConfigInvalid, match=message):
        await op.read("a")
    await op.close()


@pytest.mark.parametrize("what", ["http", "silence", "cut", "garbage"])
async def test_a_server_that_is_none(what: str) -> None:
    answers = list[asyncio.Task[None]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if what == "silence":
            await reader.read()
        elif what == "http":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>secret</html>")
        elif what == "garbage":
            writer.write(b"\0\xff" * 100 + b"\r\n")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(asyncio.ensure_future(answer(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        op = Operator(Redis(f"redis://127.0.0.1:{port}", idle_timeout=0.2), resilient=False)
        with pytest.raises(Timeout if what == "silence" else Unexpected) as caught:
            await op.read("a")
        assert caught.value.is_temporary == (what in {"silence", "cut"})
        assert "html" not in str(caught.value)
        await op.close()
        await asyncio.gather(*answers)


async def test_nobody_listens() -> None:
    op = Operator(Redis("redis://127.0.0.1:1", connect_timeout=1), resilient=False)
    with pytest.raises(Unexpected) as caught:
        await op.read("a")
    assert caught.value.is_temporary


@pytest.mark.parametrize("after", [10, 60, 200, 100_000])
async def test_a_cut_gives_no_short_data(config: Redis, valkey_server: RedisServer, after: int) -> None:
    content = bytes(range(256)) * 1000
    await Operator(config).write("a", content)
    async with relay(valkey_server.port, [after] * 2) as port:
        op = Operator(Redis(f"redis://127.0.0.1:{port}", root=config.root))
        assert await op.read("a") == content
        await op.close()
    async with relay(valkey_server.port, [after]) as port:
        op = Operator(Redis(f"redis://127.0.0.1:{port}", root=config.root))
        assert await op.read("a", range=(1000, 200_000)) == content[1000:200_000]
        await op.close()


async def test_a_cancelled_call_does_not_disturb_the_next(config: Redis) -> None:
    op = Operator(Redis(config.endpoint, root=config.root, connection_pool_max_size=2))
    contents = {f"{number}": b"%d" % number * 50_000 for number in range(4)}
    for name, content in contents.items():
        await op.write(name, content)
    for turns in range(30):
        tasks = [asyncio.ensure_future(op.read(name)) for name in contents]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await op.read("3") == contents["3"]


async def test_a_call_is_one_round_trip(config: Redis, valkey_server: RedisServer) -> None:
    with FaultProxy(f"http://127.0.0.1:{valkey_server.port}") as proxy:
        endpoint = proxy.endpoint.replace("http", "redis")
        async with Operator(Redis(endpoint, root=config.root)) as op:
            await op.write("a", b"1")
            before = proxy.counts()["exchanges"]
            await op.write("a", b"12")
            assert await op.read("a") == b"12"
            assert await op.read("a", range=(1, 2)) == b"2"
            assert (await op.stat("a")).content_length == 2
            assert not await op.exists("b")
            await op.write("a", b"3", append=True)
            assert proxy.counts()["exchanges"] - before == 7  # of which the append finds the end first


async def test_an_empty_value_that_is_deleted_during_a_stat_does_not_exist(config: Redis, client: redis.Redis) -> None:
    op = Operator(config, resilient=False)
    await op.write("empty", b"")
    assert (await op.stat("empty")).content_length == 0

    async def delete_after_the_first(session: RedisSession, *calls: Command) -> list[Any]:
        responses = await call(session, *calls)
        client.delete(f"{config.root}/empty")
        monkeypatch.undo()
        return responses

    call = RedisSession.call
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(RedisSession, "call", delete_after_the_first)
        assert not await op.exists("empty")


async def test_an_idle_connection_that_the_server_ends_is_replaced(config: Redis, client: redis.Redis) -> None:
    op = Operator(config, resilient=False)
    await op.write("a", b"1")
    client.client_kill_filter(_type="normal", skipme=True)
    while len(client.client_list(_type="normal")) > 1:  # the server closes them later
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await op.write("a", b"2", append=True)
    assert await op.read("a") == b"12"


@asynccontextmanager
async def scripted(answer: bytes, to: bytes = b"", unasked: bytes = b"") -> AsyncIterator[Operator]:
    """An operator on a server that gives one answer to all commands, or to those of one kind.

    Arguments:
        answer: the response.
        to: the name of the command that it is the response to; that to others is OK.
        unasked: what the server sends before it ends the connection after the first such response.
    """
    answers = list[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while commands := await reader.read(1000):
                names = re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", commands)
                writer.writelines(answer if name != b"CLIENT" and to in name else b"+OK\r\n" for name in names)
                if unasked and to in names:
                    await asyncio.sleep(0.01)
                    writer.write(unasked)
                    break
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(asyncio.ensure_future(serve(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        endpoint = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        op = Operator(Redis(endpoint, idle_timeout=0.5), resilient=False)
        yield op
        await op.close()
        await asyncio.gather(*answers)


async def test_what_a_server_says_unasked_is_no_response() -> None:
    async with scripted(b"$1\r\na\r\n", b"GET", b"-ERR this connection was idle for too long\r\n") as op:
        for _ in range(3):
            assert await op.read("a") == b"a"
            await asyncio.sleep(0.05)


async def test_what_arrives_with_a_response_is_not_that_of_the_next_command() -> None:
    async with scripted(b"$1\r\na\r\n$1\r\nb\r\n", b"GET") as op:
        for _ in range(3):
            assert await op.read("a") == b"a"


async def stored(op: Operator) -> object:
    return await op.write("a", b"1")


async def appended(op: Operator) -> object:
    return await op.write("a", b"1", append=True)


@pytest.mark.parametrize(
    "answer",
    [
        *(b":abc\r\n", b"$abc\r\n", b"*-5\r\n", b"*1\r\n:5\r\n", b"*2\r\n:0\r\n:0\r\n", b"*1\r\n" * 5000 + b":1\r\n"),
        b":" + b"0" * 100_000 + b"\r\n",
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        *(lambda op: op.read("a"), lambda op: op.read("a", range=(0, 2)), lambda op: op.stat("a")),
        *(lambda op: op.list(""), stored, appended),
    ],
)
async def test_what_is_no_response_to_a_command_is_a_typed_error(
    answer: bytes, call: Callable[[Operator], Awaitable[object]]
) -> None:
    async with scripted(answer) as op:
        with pytest.raises(Unexpected, match="not one of Redis") as caught:
            await call(op)
        assert not caught.value.is_temporary


async def test_a_transaction_that_is_refused_as_a_whole_says_why() -> None:
    async with scripted(b"-NOREPLICAS Not enough good replicas to write.\r\n", b"EXEC") as op:
        with pytest.raises(Unexpected, match="too few replicas"):
            await op.read("a", range=(0, 2))


@pytest.mark.parametrize("patience", [0.1, 20])
async def test_a_write_that_its_caller_gave_up_is_not_made_later(tmp_path: Path, patience: float) -> None:
    with valkey(tmp_path) as server, closing(redis.Redis(port=server.port)) as client:
        op = Operator(Redis(server.endpoint, idle_timeout=patience), resilient=False)
        await op.write("a", b"old")
        process = client.info()["process_id"]
        os.kill(process, signal.SIGSTOP)
        try:
            writing = asyncio.ensure_future(op.write("a", bytes(30_000_000)))  # more than the kernel takes
            await asyncio.wait([writing], timeout=0.2)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        finally:
            os.kill(process, signal.SIGCONT)
        await asyncio.sleep(0.2)
        assert client.get("a") == b"old"
        await op.close()


@pytest.mark.parametrize("size", [0, LARGE, LARGE + 1, 3 * LARGE])
def test_commands_as_requests(size: int) -> None:
    content = bytes(size)
    pieces = packed([("SET", "\xe4", content, 5), ("GET", b"\xff")])
    assert b"".join(pieces) == (
        b"*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$%d\r\n%b\r\n$1\r\n5\r\n*2\r\n$3\r\nGET\r\n$1\r\n\xff\r\n"
        % (size, content)
    )
    assert any(piece is content for piece in pieces) == (size > LARGE)


async def test_of_many_writers_with_a_condition_one_wins(config: Redis) -> None:
    op = Operator(config)
    writes = (op.write("a", b"%d" % number, if_not_exists=True) for number in range(8))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, ConditionNotMatch) for result in results) == 7


def test_loops_and_processes_have_connections_of_their_own(config: Redis) -> None:
    op = Operator(config)
    asyncio.run(op.write("a", b"first"))
    assert asyncio.run(op.read("a")) == b"first"
    assert op.blocking().read("a") == b"first"

    def child() -> None:
        assert op.blocking().read("a") == b"first"
        asyncio.run(op.write("b", b"child"))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert op.blocking().read("b") == b"child"


async def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in [
        name for name in sys.modules if name.partition(".")[0] == "redis" or name.startswith("entrepot.services.redis.")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigInvalid, match=r"pip install 'entrepot\[redis\]'"):
        Operator(Redis())


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("host:6379/0/a/b", ("host:6379/0", "a/b")),
        ("host/12", ("host/12", "")),
        ("host/0?default_ttl=60/a", ("host/0?default_ttl=60", "a")),
        ("host/a/0", ("host", "a/0")),
        ("host", ("host", "")),
    ],
)
def test_an_address_begins_with_the_database(address: str, parts: tuple[str, str]) -> None:
    assert Redis.split_location(address) == parts


async def test_calls_wait_for_the_connections_that_there_are_files_for(valkey_server: RedisServer) -> None:
    op = Operator(Redis(valkey_server.endpoint, root=new_root()), resilient=False)
    await op.write("a", b"1")
    with few_files(4):
        assert await asyncio.gather(*(op.read("a") for _ in range(60))) == [b"1"] * 60
    await op.close()
    with few_files(0), pytest.raises(Unexpected) as failed:
        await op.read("a")
    assert (failed.value.errno, failed.value.is_temporary) == (errno.EMFILE, True)
    assert "ulimit -n" in str(failed.value)
    await op.close()
