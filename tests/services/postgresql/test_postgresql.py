"""What the behaviour suite does not check of the postgresql service: its configuration, other tables, and refusals."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import pickle
import signal
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    StorageFull,
    Timeout,
    Unexpected,
)
from entrepot.services import Postgresql
from entrepot.services.postgresql import accessor, session
from entrepot.services.postgresql.errors import translated
from entrepot.testing import NO_FAULTS, Fault, FaultPlan, FaultProxy, FaultScript, PostgresqlServer
from tests.certificates import write_certificates

NAMES = (f"t{number}" for number in itertools.count())
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
"""The process that waits for a lock, if there is one. `pg_stat_activity` would stay the same within a transaction."""


def config(server: PostgresqlServer, **options: Any) -> Postgresql:
    return Postgresql(server.connection_string, **{"table": next(NAMES), "create_table": True, **options})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"connection_string": "host=x user=secret"}, "must be a URL"),
        ({"connection_string": "mysql://u:secret@host/db"}, "must be a URL"),
        ({"connection_string": "postgresql://host/db?password=secret"}, "option password"),
        ({"connection_string": "postgresql://u:secret@host/db", "password": "x"}, "password, which is set too"),
        ({"table": "a."}, "table"),
        ({"key_field": "value"}, "same column"),
        ({"sslmode": "yes"}, "sslmode"),
        ({"connection_string": "postgresql://host/db?sslmode=yes"}, "sslmode"),
        ({"connection_string": "postgresql://u:secret@host:one/db"}, "port"),
        ({"connection_string": "postgresql://[::1]:1,host:65536/db"}, "port"),
        ({"connection_string": "postgresql:///db?host=h&port=x"}, "port"),
        ({"client_key": "k"}, "client_certificate"),
        ({"connection_pool_max_size": 0}, "connection_pool_max_size"),
        ({"idle_timeout": 0}, "idle_timeout"),
        ({"root": "a\0"}, "root"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Postgresql(**{"connection_string": "postgresql://host/db", **values})
    assert "secret" not in str(caught.value)


def test_uris() -> None:
    uri = "postgres://us%40er:p%2Fw@host:7/my%20db?table=s.t&root=/some/root&sslmode=verify-full&sslrootcert=/ca"
    config = Postgresql.from_uri(uri)
    assert (config.username, config.password, config.root, config.table) == ("us@er", "p/w", "/some/root", "s.t")
    assert config.dsn == "postgres://host:7/my%20db?sslmode=verify-full&sslrootcert=%2Fca"
    assert pickle.loads(pickle.dumps(config)) == config
    assert "p/w" not in repr(config) + repr(Operator(config))
    assert Operator(config).info.name == "my%20db"


async def test_a_missing_table_is_named_or_made(postgresql_server: PostgresqlServer) -> None:
    making = config(postgresql_server)
    strict = Operator(replace(making, create_table=False))
    for call in (strict.read("a"), strict.write("a", b"1"), strict.delete("a"), strict.rename("a", "b")):
        with pytest.raises(ConfigInvalid, match="CREATE TABLE"):
            await call
    op = Operator(making)
    with pytest.raises(NotFound):
        await op.read("a")
    with pytest.raises(NotFound):
        await op.rename("a", "b")
    assert await op.list("a/") == []
    await asyncio.gather(*(op.write(f"a{number}", b"1") for number in range(8)))
    assert await strict.read("a7") == b"1"


async def test_tables_of_other_programs(postgresql_server: PostgresqlServer) -> None:
    postgresql_server.run(
        'CREATE SCHEMA "odd s"',
        'CREATE TABLE "odd s"."od""d; DROP" ("select" varchar(100) COLLATE "und-x-icu" UNIQUE, "from" bytea)',
    )
    options = {"table": 'odd s.od"d; DROP', "key_field": "select", "value_field": "from", "create_table": False}
    op = Operator(config(postgresql_server, **options))
    large = os.urandom(300_000)
    for name in ("b", "A", "a", "B/1", "é"):
        await op.write(name, large)
    assert [entry.path for entry in await op.list("/", limit=2)] == ["/", "A", "B/", "a", "b", "é"]
    assert await op.read("b", range=(200_000, 200_009)) == large[200_000:200_009]
    assert await op.read("b", range=(299_999, 1 << 62)) == large[-1:]
    with pytest.raises(RangeNotSatisfied):
        await op.read("b", range=(1 << 62, None))
    async with op.reader("b") as reader:
        await reader.seek(-5, 2)
        assert await reader.read() == large[-5:]


async def test_a_table_that_does_not_fit_is_named(postgresql_server: PostgresqlServer) -> None:
    postgresql_server.run(
        "CREATE TABLE misfit_key (key text, value bytea)",
        "CREATE TABLE misfit_column (name text UNIQUE, value bytea)",
        "CREATE TABLE misfit_type (key integer UNIQUE, value bytea)",
        "CREATE TABLE misfit_value (key text UNIQUE, value integer)",
    )
    for table in ("misfit_key", "misfit_column", "misfit_type", "misfit_value"):
        with pytest.raises(ConfigInvalid, match="column"):
            await Operator(config(postgresql_server, table=table)).write("a", b"1")


@pytest.mark.parametrize(
    ("state", "kind", "message", "is_temporary"),
    [
        ("08006", Unexpected, "connection broke", True),
        ("22001", InvalidInput, "path is longer", False),
        ("23502", ConfigInvalid, "another column", False),
        ("26000", ConfigInvalid, "statement_cache_size=0", False),
        ("40P01", Unexpected, "another transaction", True),
        ("42P05", ConfigInvalid, "statement_cache_size=0", False),
        ("53100", StorageFull, "disk", False),
        ("53300", Unexpected, "too many connections", True),
        ("57P03", Unexpected, "starting or stopping", True),
        ("0A000", Unexpected, "refused", False),
        ("XX001", Unexpected, "refused", False),
    ],
)
def test_the_meaning_of_a_state(state: str, kind: type[Error], message: str, is_temporary: bool) -> None:
    with pytest.raises(kind, match=message) as caught, translated():
        raise asyncpg.PostgresError.new({"S": "ERROR", "C": state, "M": "secret"})
    assert (caught.value.is_temporary, caught.value.context["sqlstate"]) == (is_temporary, state)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind", "message", "is_temporary"),
    [
        (asyncpg.InvalidCachedStatementError("stale"), Unexpected, "table was changed", True),
        (asyncpg.TargetServerAttributeNotMatched("no primary"), Unexpected, "target_session_attrs", True),
        (asyncpg.ClientConfigurationError("no such option"), ConfigInvalid, "no such option", False),
        (asyncpg.ProtocolError("unknown message"), Unexpected, "another server", False),
        (asyncpg.InterfaceError("connection is closed"), Unexpected, "closed during the call", True),
        (TimeoutError(), Timeout, "in time", True),
    ],
)
def test_the_meaning_of_an_error_of_the_client(
    error: Exception, kind: type[Error], message: str, is_temporary: bool
) -> None:
    with pytest.raises(kind, match=message) as caught, translated():
        raise error
    assert caught.value.is_temporary == is_temporary


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sslmode=verify-full&sslrootcert={}/none", "ca_file cannot be read: No such file"),
        ("sslmode=verify-ca&sslrootcert={}/text", "ca_file cannot be read"),
        ("sslcert={}/none&sslkey={}/none", "client_certificate and client_key cannot be read: No such file"),
        ("sslcert={}/text&sslkey={}/text", "client_certificate and client_key cannot be read"),
        ("sslcert={}/cert&sslkey={}/locked", "client_certificate and client_key cannot be read"),
        ("sslnegotiation=no", "sslnegotiation"),
    ],
)
async def test_options_of_tls_that_cannot_work_are_no_broken_connection(
    tmp_path: Path, query: str, message: str
) -> None:
    write_certificates(tmp_path)
    url = f"postgresql://u@127.0.0.1:1/db?{query.replace('{}', str(tmp_path))}"
    op = Operator(Postgresql(url))
    with pytest.raises(ConfigInvalid, match=message):
        await op.read("a")
    await op.close()


@pytest.mark.parametrize("is_trusted", [False, True])
async def test_the_certificate_of_a_server(tmp_path: Path, is_trusted: bool) -> None:
    trusted = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (trusted if is_trusted else trustme.CA()).issue_cert("127.0.0.1").configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # the request for TLS
        writer.write(b"S")
        with suppress(OSError):
            await writer.start_tls(context)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"postgresql://u@127.0.0.1:{server.sockets[0].getsockname()[1]}/db"
        secured = Postgresql(url, sslmode="verify-full", ca_file=str(tmp_path / "ca"))
        op = Operator(secured, resilient=False)
        with pytest.raises(Unexpected, match="connection" if is_trusted else "not trusted") as caught:
            await op.read("a")
        assert caught.value.is_temporary == is_trusted
        await op.close()


async def test_a_call_that_runs_ends_after_the_operator_was_closed(postgresql_server: PostgresqlServer) -> None:
    made = config(postgresql_server)
    op = Operator(made, resilient=False)
    await op.write("a", b"1")
    other = await asyncpg.connect(made.dsn, user=made.username)
    async with other.transaction():
        await other.execute(f"LOCK TABLE {made.table}")
        reading = asyncio.ensure_future(op.read("a"))
        while not await other.fetchval(WAITING):
            await asyncio.sleep(0.01)
        await op.close()
    assert await reading == b"1"
    await other.close()


def test_a_loop_that_ends_cuts_calls_that_run(postgresql_server: PostgresqlServer) -> None:
    made = config(postgresql_server)
    op = Operator(made, resilient=False)

    async def run() -> None:
        await op.write("a", b"1")
        other = await asyncpg.connect(made.dsn, user=made.username)
        await other.execute(f"BEGIN; LOCK TABLE {made.table}")
        left.append(asyncio.ensure_future(op.read("a")))
        while not await other.fetchval(WAITING):
            await asyncio.sleep(0.01)
        other.terminate()

    left = list[asyncio.Task[bytes]]()
    asyncio.run(run())
    assert left[0].cancelled()
    assert asyncio.run(op.read("a")) == b"1"


async def test_a_call_is_one_round_trip(postgresql_server: PostgresqlServer) -> None:
    with FaultProxy(postgresql_server.connection_string) as proxy:
        async with Operator(through(proxy)) as op:
            for _ in range(2):  # the first time prepares the statements
                before = proxy.counts()["exchanges"]
                await op.write("a", b"1")
                assert await op.read("a") == b"1"
                await op.stat("a")
            assert proxy.counts()["exchanges"] - before == 3


async def test_an_answer_that_nobody_waits_for_goes_to_no_other_call(postgresql_server: PostgresqlServer) -> None:
    made = config(postgresql_server, connection_pool_max_size=1)
    op = Operator(made, resilient=False)
    await op.write("a", b"a")
    await op.write("b", b"b")
    for turns in range(8):
        reading = asyncio.ensure_future(op.read("a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        assert await op.read("b") == b"b"
    await op.close()


@pytest.mark.parametrize("patience", [0.3, 20])
async def test_a_write_that_its_caller_gave_up_is_not_made_later(
    postgresql_server: PostgresqlServer, patience: float
) -> None:
    made = config(postgresql_server, idle_timeout=patience)
    op = Operator(made, resilient=False)
    await op.write("a", b"1")
    other = await asyncpg.connect(made.dsn, user=made.username)
    async with other.transaction():
        await other.execute(f"LOCK TABLE {made.table}")
        waiting = [asyncio.ensure_future(call) for call in (op.write("a", b"2"), op.rename("a", "b"))]
        await asyncio.wait(waiting, timeout=0.5)
        for call in waiting:
            call.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {Timeout if patience < 1 else asyncio.CancelledError}
    await other.close()
    assert await op.read("a") == b"1"
    await op.close()


async def test_a_server_that_hangs_in_a_transaction_is_left_soon(
    postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "STOP_SECONDS", 0.2)
    made = config(postgresql_server, idle_timeout=0.3)
    op = Operator(made, resilient=False)
    await op.write("a", b"1")
    other = await asyncpg.connect(made.dsn, user=made.username)
    async with other.transaction():
        await other.execute(f"LOCK TABLE {made.table}")
        renaming = asyncio.ensure_future(op.rename("a", "b"))
        while not (process := await other.fetchval(WAITING)):
            await asyncio.sleep(0.01)
        os.kill(process, signal.SIGSTOP)
        try:
            done, _ = await asyncio.wait([renaming], timeout=20)
        finally:
            os.kill(process, signal.SIGCONT)
        assert done
        with pytest.raises(Timeout):
            await renaming
    await other.close()
    assert await op.read("a") == b"1"
    await op.close()


async def test_columns_that_take_no_such_row_are_named(postgresql_server: PostgresqlServer) -> None:
    postgresql_server.run(
        "CREATE TABLE short_key (key varchar(5) UNIQUE, value bytea)",
        "CREATE TABLE more_columns (key text UNIQUE, value bytea, owner text NOT NULL)",
    )
    with pytest.raises(InvalidInput, match="path is longer"):
        await Operator(config(postgresql_server, table="short_key")).write("a-long-name", b"1")
    with pytest.raises(ConfigInvalid, match="another column"):
        await Operator(config(postgresql_server, table="more_columns")).write("a", b"1")


async def test_limits(postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accessor, "FLAGS", accessor.replace(accessor.FLAGS, write_total_max_size=10))
    op = Operator(config(postgresql_server))
    with pytest.raises(InvalidInput):
        await op.write("a", bytes(11))
    await op.write("a", bytes(6))
    with pytest.raises(StorageFull):
        await op.write("a", bytes(5), append=True)
    longest = os.urandom(1300).hex()
    await op.write(longest, b"1")
    assert await op.read(longest) == b"1"
    with pytest.raises(InvalidInput, match="2600"):
        await op.write(longest + "x", b"1")


async def test_refusals(postgresql_server: PostgresqlServer) -> None:
    made = config(postgresql_server)
    await Operator(made).write("a", b"1")
    postgresql_server.run("CREATE ROLE reader LOGIN", f"GRANT SELECT ON {made.table} TO reader")
    place = f"127.0.0.1:{postgresql_server.port}"
    reader = Operator(Postgresql(f"postgresql://reader@{place}/postgres", table=made.table), resilient=False)
    assert await reader.read("a") == b"1"
    with pytest.raises(PermissionDenied) as caught:
        await reader.write("a", b"2")
    assert caught.value.context["sqlstate"] == "42501"
    for user, database, kind in (("nobody", "postgres", PermissionDenied), ("postgres", "none", ConfigInvalid)):
        with pytest.raises(kind):
            await Operator(Postgresql(f"postgresql://{user}@{place}/{database}"), resilient=False).read("a")
    read_only = replace(made, connection_string=f"{made.connection_string}?default_transaction_read_only=on")
    with pytest.raises(PermissionDenied, match="read-only"):
        await Operator(read_only).write("a", b"2")


@pytest.mark.parametrize("what", ["html", "silence", "cut"])
async def test_a_server_that_is_none(what: str) -> None:
    answers = list[asyncio.Task[None]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if what == "silence":
            await reader.read()
        elif what == "html":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(asyncio.ensure_future(answer(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        url = f"postgresql://127.0.0.1:{server.sockets[0].getsockname()[1]}/db"
        op = Operator(Postgresql(url, connect_timeout=0.2, sslmode="disable"), resilient=False)
        with pytest.raises(Timeout if what == "silence" else Unexpected):
            await op.read("a")
        await op.close()
        await asyncio.gather(*answers)


async def test_nobody_listens() -> None:
    with pytest.raises(Unexpected) as caught:
        await Operator(Postgresql("postgresql://127.0.0.1:1/db"), resilient=False).read("a")
    assert caught.value.is_temporary


async def test_a_connection_that_the_server_ends_is_replaced(postgresql_server: PostgresqlServer) -> None:
    op = Operator(config(postgresql_server, connection_pool_max_size=1))
    await op.write("a", b"1")
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%old%'"
    postgresql_server.run(f"SELECT pg_terminate_backend(pid) {others}")
    assert await op.read("a") == b"1"
    await op.write("b", b"2")


@dataclass(frozen=True)
class InEach(FaultPlan):
    """The same fault in each exchange, which has to be large enough for it."""

    of: Fault | None

    def fault(self, exchange: int, connection: int) -> Fault | None:
        return self.of


def through(proxy: FaultProxy) -> Postgresql:
    place = proxy.endpoint.replace("://", "://postgres@")
    return Postgresql(place, table=next(NAMES), create_table=True, connection_pool_max_size=1)


async def test_a_write_that_is_cut_stores_all_or_nothing(postgresql_server: PostgresqlServer) -> None:
    old, new = b"o" * 300_000, b"n" * 400_000
    half = Fault("reset", after=200_000, way="up")
    with FaultProxy(postgresql_server.connection_string) as proxy:
        async with Operator(through(proxy), resilient=False) as op:
            await op.write("a", old)
            for fault in (half, Fault("truncate", after=200_000, way="up")):
                proxy.plan(InEach(fault))
                with pytest.raises(Unexpected) as caught:
                    await op.write("a", new)
                assert caught.value.is_temporary
                with pytest.raises(Unexpected):
                    await op.write("a", new, append=True)
                assert await op.read("a", range=(0, 100_000)) == old[:100_000]
                assert (await op.stat("a")).content_length == len(old)
            proxy.plan(NO_FAULTS)
            await op.write("b", old)  # prepares the statement, so that the next exchange stores
            proxy.plan(FaultScript([Fault("reset")]))
            with pytest.raises(Unexpected) as caught:
                await op.write("b", new)
            assert caught.value.is_temporary
            assert await op.read("b") == new


async def test_an_append_whose_response_was_lost_is_not_made_twice(postgresql_server: PostgresqlServer) -> None:
    with FaultProxy(postgresql_server.connection_string) as proxy:
        async with Operator(through(proxy)) as op:
            await op.write("a", b"1")
            await op.write("a", b"2", append=True)
            writer = await op.writer("a", append=True)
            await writer.write(b"3" * 100_000)
            proxy.plan(FaultScript([None, Fault("reset")]))  # after finding the end, and giving back the connection
            with pytest.raises(Unexpected) as caught:
                await writer.close()
            assert caught.value.context["may_have_taken_effect"]
            await writer.close()
            assert await op.read("a") == b"12" + b"3" * 100_000


async def test_cancelled_calls_leave_whole_values(postgresql_server: PostgresqlServer) -> None:
    op = Operator(config(postgresql_server, connection_pool_max_size=2))
    await op.write("a", b"0" * 50_000)
    for turns in range(12):
        tasks = [asyncio.ensure_future(op.write("a", b"%d" % (turns % 10) * 50_000)) for _ in range(3)]
        for _ in range(turns * 2):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        content = await op.read("a")
        assert len(content) == 50_000
        assert len(set(content)) == 1


async def test_of_many_writers_with_a_condition_one_wins(postgresql_server: PostgresqlServer) -> None:
    op = Operator(config(postgresql_server))
    await op.write("other", b"")
    writes = (op.write("a", b"%d" % number, if_not_exists=True) for number in range(8))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, ConditionNotMatch) for result in results) == 7


def test_loops_and_processes_have_connections_of_their_own(postgresql_server: PostgresqlServer) -> None:
    op = Operator(config(postgresql_server))
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


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("entrepot.services.postgresql.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigInvalid, match=r"pip install 'entrepot\[postgresql\]'"):
        Operator(Postgresql("postgresql://host/db"))


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("host:5432/db/a/b", ("host:5432/db", "a/b")),
        ("host/db", ("host/db", "")),
        ("host", ("host", "")),
        ("/db/a", ("/db", "a")),
    ],
)
def test_an_address_begins_with_the_database(address: str, parts: tuple[str, str]) -> None:
    assert Postgresql.split_location(address) == parts
