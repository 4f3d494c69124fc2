"""What the behaviour suite does not check of the sqlite service: the database itself, and other programs beside it."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.blocking import BlockingOperator
from entrepot.layers import ReadOnlyLayer
from entrepot.services import Sqlite
from entrepot.services.sqlite import accessor
from tests.few_files import few_files

CREATE = "CREATE TABLE objects (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "objects.db")


def run(path: str, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"connection_string": ""}, "connection_string"),
        ({"connection_string": "data/"}, "connection_string"),
        ({"connection_string": "a\0b"}, "connection_string"),
        ({"connection_string": ":memory:"}, "Memory"),
        ({"connection_string": "sqlite://a.db?mode=ro"}, "options"),
        ({"connection_string": "a.db", "table": ""}, "table"),
        ({"connection_string": "a.db", "key_field": "x", "value_field": "X"}, "same column"),
        ({"connection_string": "a.db", "busy_timeout": -1}, "busy_timeout"),
        ({"connection_string": "a.db", "root": "a\0"}, "root"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        Sqlite(**values)  # type: ignore[arg-type]


def test_spellings_of_one_file_are_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spelled = [
        Sqlite("a.db"),
        Sqlite(f"sqlite://{tmp_path}/a.db"),
        Sqlite("sqlite://a.db"),
        Sqlite(f"{tmp_path}/./a.db"),
    ]
    assert {config.connection_string for config in spelled} == {f"{tmp_path}/a.db"}
    by_uri = Operator.from_uri(f"sqlite://{tmp_path}/a.db?table=t&root=x")
    assert by_uri.info.root == "/x/"
    assert Sqlite("a.db", root="b").is_same_store(spelled[0])
    assert not Sqlite("a.db", table="b").is_same_store(spelled[0])


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("/dir/x.db", ("/dir/x.db", "")),
        ("/dir/x.db/a/b", ("/dir/x.db", "a/b")),
        ("/dir/x.db.old/y.sqlite3/a", ("/dir/x.db.old/y.sqlite3", "a")),
        ("/dir/x.db?table=t/a?b", ("/dir/x.db?table=t", "a?b")),
        ("/dir/objects?table=t/a", ("/dir/objects?table=t", "a")),
        ("/dir/objects", ("/dir/objects", "")),
        ("x.db/a", ("x.db", "a")),
        ("", ("", "")),
    ],
)
def test_an_address_begins_with_the_database(address: str, parts: tuple[str, str]) -> None:
    assert Sqlite.split_location(address) == parts


def test_four_slashes_are_an_absolute_path_as_in_sqlalchemy() -> None:
    assert Sqlite.from_uri("sqlite:////dir/x.db") == Sqlite.from_uri("sqlite:///dir/x.db") == Sqlite("/dir/x.db")


async def test_what_reads_makes_no_database(path: str) -> None:
    op = Operator(Sqlite(path))
    with pytest.raises(NotFound):
        await op.read("a")
    assert await op.list("a/") == []
    await op.delete("a")
    with pytest.raises(NotFound):
        await op.rename("a", "b")
    assert not Path(path).exists()


async def test_a_new_database_has_a_write_ahead_log_and_an_old_one_keeps_its_journal(path: str, tmp_path: Path) -> None:
    await Operator(Sqlite(path)).write("a", b"1")
    old = str(tmp_path / "old.db")
    run(old, CREATE)
    await Operator(Sqlite(old)).write("a", b"1")
    for file, mode in ((path, "wal"), (old, "delete")):
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == (mode,)


async def test_a_place_that_is_no_database_is_named(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="directory of the database"):
        await Operator(Sqlite(str(tmp_path / "no" / "a.db"))).write("a", b"1")
    with pytest.raises(ConfigInvalid, match="names a directory"):
        await Operator(Sqlite(str(tmp_path))).read("a")
    Path(path).write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigInvalid, match="not an SQLite database"):
        await Operator(Sqlite(path)).read("a")


async def test_a_missing_table_is_made_or_named(path: str) -> None:
    run(path, "CREATE TABLE other (x)")
    strict = Operator(Sqlite(path, create_table=False))
    for call in (strict.read("a"), strict.write("a", b"1"), strict.delete("a")):
        with pytest.raises(ConfigInvalid, match="no such table"):
            await call
    op = Operator(Sqlite(path))
    assert not await op.exists("a")
    await op.write("a", b"1")
    assert await strict.read("a") == b"1"


async def test_names_of_the_table_are_quoted(path: str) -> None:
    config = Sqlite(path, table='a `"b"; DROP', key_field="select", value_field="from")
    op = Operator(config)
    await op.write("x", bytes(100_000))
    await op.write("x", b"1", append=True)
    await op.copy("x", "y")
    await op.rename("y", "z")
    assert [(entry.path, entry.size) for entry in await op.list("/")][1:] == [("x", 100_001), ("z", 100_001)]
    assert await op.read("z", range=(99_999, 100_001)) == b"\x001"


@pytest.mark.parametrize(
    "table",
    [
        CREATE,
        CREATE + " WITHOUT ROWID",
        "CREATE TABLE objects (key TEXT COLLATE NOCASE PRIMARY KEY, value)",
        "CREATE TABLE objects (value BLOB, id INTEGER PRIMARY KEY, key TEXT UNIQUE)",
    ],
)
async def test_tables_of_other_programs(path: str, table: str) -> None:
    run(path, table, "INSERT INTO objects (key, value) VALUES ('text', 'häßlich'), ('b/' || char(65), x'')")
    op = Operator(Sqlite(path))
    large = os.urandom(300_000)
    await op.write("large", large)
    assert await op.read("text") == "häßlich".encode()
    assert await op.read("text", range=(1, 3)) == "ä".encode()
    assert (await op.stat("text")).content_length == 9
    assert await op.read("large", range=(200_000, 200_007)) == large[200_000:200_007]
    async with op.reader("large") as reader:
        await reader.seek(-5, 2)
        assert await reader.read() == large[-5:]
    with pytest.raises(RangeNotSatisfied):
        await op.read("large", range=(300_001, None))
    await op.write("text", b"\xff\0", append=True)
    assert await op.read("text") == "häßlich".encode() + b"\xff\0"
    assert [entry.path async for entry in op.lister("/", recursive=True)] == ["/", "b/A", "large", "text"]
    await op.rename("text", "other")
    assert not await op.exists("text")


async def test_a_table_that_does_not_fit_is_named(path: str) -> None:
    run(path, "CREATE TABLE objects (key TEXT, value BLOB)", "CREATE TABLE other (name TEXT UNIQUE, value BLOB)")
    with pytest.raises(ConfigInvalid, match="not unique"):
        await Operator(Sqlite(path)).write("a", b"1")
    with pytest.raises(ConfigInvalid, match="lacks a column"):
        await Operator(Sqlite(path, table="other")).read("a")


async def test_keys_that_no_path_leads_to_are_left_out(path: str) -> None:
    odd = "(x'00', x''), (x'ff', x''), (1, x''), ('', x''), ('/a', x''), ('a' || char(10), x'')"
    run(
        path, CREATE.replace(" TEXT", ""), f"INSERT INTO objects VALUES {odd}, (CAST(x'61ff' AS TEXT), x''), ('z', x'')"
    )
    op = Operator(Sqlite(path))
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "z"]
    async with op.lister("/", recursive=True, limit=1) as lister:
        assert [entry.path async for entry in lister] == ["/", "z"]
        (error,) = lister.left_out()
    assert (error.kind, error.path, error.message[:12]) == ("Unsupported", "/", "3 names here")


async def test_a_listing_of_one_level_skips_what_is_below(path: str) -> None:
    op = Operator(Sqlite(path))
    for name in ("a", "b/1", "b/2", "b/3/4", "b\U0010ffff", "c/1", "d"):
        await op.write(name, b"")
    for limit in (1, 2, None):
        names = [entry.path for entry in await op.list("/", limit=limit)]
        assert names == ["/", "a", "b/", "b\U0010ffff", "c/", "d"]
    for after, expected in (("a", ["b/", "b\U0010ffff", "c/", "d"]), ("b/", ["b\U0010ffff", "c/", "d"])):
        assert [entry.path for entry in await op.list("/", start_after=after, limit=2)] == expected
    assert [entry.path for entry in await op.list("/", start_after="b/2")] == ["b\U0010ffff", "c/", "d"]


async def test_a_value_over_the_limit_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accessor, "FLAGS", accessor.replace(accessor.FLAGS, write_total_max_size=10))
    op = Operator(Sqlite(path))
    with pytest.raises(InvalidInput):
        await op.write("a", bytes(11))
    await op.write("a", bytes(6))
    with pytest.raises(StorageFull):
        await op.write("a", bytes(5), append=True)
    assert await op.read("a") == bytes(6)
    for refused in (op.write("a", b"", content_type="text/plain"), op.write("a", b"", if_match='"1"')):
        with pytest.raises(Unsupported):
            await refused


async def test_a_writer_waits_for_another_and_gives_up(path: str) -> None:
    patient, hasty = Operator(Sqlite(path)), Operator(Sqlite(path, busy_timeout=0))
    await patient.write("a", b"1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unexpected, match="lock") as caught:
            await hasty.write("a", b"2")
        assert caught.value.is_temporary
        assert await hasty.read("a") == b"1"
        writing = asyncio.ensure_future(patient.write("a", b"3"))
        await asyncio.sleep(0.05)
        other.execute("COMMIT")
    await writing
    assert await hasty.read("a") == b"3"


def test_too_many_open_files_are_no_lack_of_permission(path: str) -> None:
    op = Operator(Sqlite(path)).blocking()
    op.write("a", b"1")
    op.close()
    with few_files(1), pytest.raises(Unexpected, match="EMFILE") as failed:
        op.read("a")
    assert failed.value.is_temporary
    assert op.read("a") == b"1"
    op.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
async def test_a_file_without_permission(path: str) -> None:
    run(path, CREATE)
    Path(path).chmod(0o400)
    with pytest.raises(PermissionDenied):
        await Operator(Sqlite(path)).write("a", b"1")


@pytest.mark.parametrize("journal", ["wal", "delete"])
async def test_a_file_that_was_deleted_or_replaced_is_noticed(path: str, tmp_path: Path, journal: str) -> None:
    if journal == "delete":
        run(path, CREATE)
    other = str(tmp_path / "other.db")
    run(other, CREATE, "INSERT INTO objects VALUES ('kept', 'x')")
    async with Operator(Sqlite(path)) as op:
        await asyncio.gather(*(op.write(f"old {number}", b"x") for number in range(8)))
        Path(path).unlink()
        assert [entry.path for entry in await op.list("/")] == ["/"]
        assert not Path(path).exists()
        await op.write("new", b"x")
        assert [entry.path for entry in await op.list("/")] == ["/", "new"]
        Path(other).replace(path)
        for side in ("-wal", "-shm"):
            Path(path + side).unlink(missing_ok=True)
        assert await op.read("kept") == b"x"
        await op.write("newer", b"x")
    async with Operator(Sqlite(path)) as op:
        assert [entry.path for entry in await op.list("/")] == ["/", "kept", "newer"]


async def test_a_read_only_stack_changes_nothing(path: str) -> None:
    await Operator(Sqlite(path)).write("a", b"1")
    op = Operator(Sqlite(path)).layer(ReadOnlyLayer())
    assert await op.read("a") == b"1"
    assert not await op.exists("b")


async def test_of_many_writers_with_a_condition_one_wins(path: str) -> None:
    ops = [Operator(Sqlite(path)) for _ in range(8)]
    results = await asyncio.gather(
        *(op.write("a", b"%d" % number, if_not_exists=True) for number, op in enumerate(ops)), return_exceptions=True
    )
    assert sum(isinstance(result, ConditionNotMatch) for result in results) == 7
    assert sum(not isinstance(result, BaseException) for result in results) == 1


def test_threads_that_make_a_database_at_once_wait_for_each_other(tmp_path: Path) -> None:
    def write(op: BlockingOperator, start: threading.Barrier, number: int) -> int | None:
        start.wait(10)
        return op.write(f"{number}", b"1").content_length

    with ThreadPoolExecutor(12) as threads:
        for count in range(50):
            op, start = Operator(Sqlite(str(tmp_path / f"{count}.db"))).blocking(), threading.Barrier(12)
            assert list(threads.map(partial(write, op, start), range(12))) == [1] * 12
            op.close()


def test_threads_without_a_loop_share_an_operator(path: str) -> None:
    op = Operator(Sqlite(path)).blocking()

    def work(number: int) -> None:
        for step in range(20):
            op.write(f"{number}/{step}", b"%d" % step)
            assert op.read(f"{number}/{step}") == b"%d" % step

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(entry.is_file for entry in op.list("/", recursive=True)) == 80


def test_a_forked_child_has_connections_of_its_own(path: str) -> None:
    op = Operator(Sqlite(path)).blocking()
    op.write("a", b"parent")

    def child() -> None:
        op.write("b", b"child")
        assert op.read("a") == b"parent"

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert op.read("b") == b"child"
    op.write("a", b"again")
    assert op.read("a") == b"again"


async def test_connections_end_with_the_operator_the_loop_or_close(path: str) -> None:
    def descriptors() -> int:
        return sum(str(link.readlink()).startswith(path) for link in Path("/proc/self/fd").iterdir() if link.exists())

    op = Operator(Sqlite(path))
    await op.write("a", b"1")
    assert descriptors() > 0
    await op.close()
    assert descriptors() == 0
    assert await op.read("a") == b"1"
    await op.close()

    def in_a_loop_of_its_own() -> None:
        asyncio.run(op.write("a", b"2"))

    await asyncio.to_thread(in_a_loop_of_its_own)
    blocking = Operator(Sqlite(path)).blocking()
    blocking.write("a", b"3")
    del blocking
    gc.collect()
    assert descriptors() == 0


def test_a_killed_process_leaves_whole_values(path: str) -> None:
    program = textwrap.dedent(
        f"""
        from entrepot import Operator
        from entrepot.services import Sqlite
        op = Operator(Sqlite({path!r})).blocking()
        for number in range(10**9):
            op.write("a", b"%d," % number * 20_000)
            op.write("log", b"%d," % number, append=True)
            print(number, flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 20:
                break
        process.send_signal(signal.SIGKILL)
    op = Operator(Sqlite(path)).blocking()
    value, log = op.read("a"), op.read("log")
    number = int(value[: value.index(b",")])
    assert number >= 20
    assert value == b"%d," % number * 20_000
    assert log in {b"".join(b"%d," % each for each in range(last)) for last in (number, number + 1)}
    op.write("a", b"after")
    assert op.read("a") == b"after"
