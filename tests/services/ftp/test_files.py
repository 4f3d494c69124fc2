"""What the behaviour suite does not check, on real servers."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot import (
    ConfigInvalid,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    Unexpected,
)
from entrepot.raw.suite import Place
from entrepot.services import Ftp
from entrepot.services.ftp.behavior import TARGETS
from entrepot.testing import FtpServer
from tests.behavior.targets import new_root
from tests.few_files import few_files

TEMPORARY = ".entrepot-0123456789abcdef.tmp"


@pytest.fixture(params=["pyftpd", "vsftpd"])
def server(request: pytest.FixtureRequest) -> FtpServer:
    found: FtpServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def config(server: FtpServer, tmp_path: Path) -> Ftp:
    """A new root on the server."""
    store = TARGETS[0].open(Place(tmp_path, new_root(), server))
    assert isinstance(store.config, Ftp)
    return store.config


@pytest.fixture
def folder(server: FtpServer, config: Ftp) -> Path:
    folder = server.folder / config.root.rpartition("/")[2]
    folder.mkdir()
    folder.chmod(0o777)
    return folder


async def test_a_refusal_is_told_apart(config: Ftp, folder: Path) -> None:
    async with Operator(config, resilient=False) as op:
        await op.create_dir("d/sub/")
        await op.write("file", b"x")
        for refused, error in (
            (lambda: op.delete("d"), IsADirectory),
            (lambda: op.delete("d/"), IsADirectory),
            (lambda: op.write("d", b""), IsADirectory),
            (lambda: op.read("d"), IsADirectory),
            (lambda: op.rename("file", "d"), IsADirectory),
            (lambda: op.rename("missing", "new"), NotFound),
            (lambda: op.write("file/below", b""), NotADirectory),
            (lambda: op.create_dir("file/"), NotADirectory),
            (lambda: op.read("missing"), NotFound),
        ):
            with pytest.raises(error):
                await refused()
        await op.delete("file/")  # names no directory
        assert await op.read("file") == b"x"


async def test_what_writers_leave_is_neither_listed_nor_in_the_way(config: Ftp, folder: Path) -> None:
    async with Operator(config) as op:
        await op.create_dir("d/")
        (folder / "d" / TEMPORARY).touch()
        assert [entry.path for entry in await op.list("d/")] == ["d/"]
        with pytest.raises(InvalidInput, match="reserved"):
            await op.write(TEMPORARY, b"")
        await op.delete("d/")
        writer = await op.writer("new", chunk=1000)
        for _ in range(3):
            await writer.write(bytes(2000))
        await writer.abort()
    assert not list(folder.iterdir())


async def test_names_that_no_path_can_have_are_left_out(config: Ftp, folder: Path) -> None:
    (folder / "d").mkdir()
    for name in (b"d/\xff", b"d/a\rb", b"d/kept"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    async with Operator(config) as op, op.lister("/", recursive=True) as lister:
        assert {entry.path async for entry in lister} >= {"/", "d/", "d/kept"}
        (error,) = lister.left_out()
    assert (error.kind, error.path) == ("Unsupported", "d/")


async def test_links_are_deleted_and_not_followed(config: Ftp, folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "file").write_bytes(b"content")
    (folder / "d").mkdir()
    (folder / "d").chmod(0o777)
    (folder / "d" / "link").symlink_to("../kept")
    (folder / "d" / "file").symlink_to("../kept/file")
    async with Operator(config) as op:
        assert await op.read("d/file") == b"content"
        assert {entry.path.rstrip("/") for entry in await op.list("d/")} == {"d", "d/link", "d/file"}
        await op.delete("d/", recursive=True)
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (folder / "kept" / "file").read_bytes() == b"content"


async def test_a_large_file_is_sent_in_several_transfers(config: Ftp, folder: Path) -> None:
    content = bytes(range(256)) * 1000
    async with Operator(config) as op:
        async with op.writer("file", chunk=50_000) as writer:
            for start in range(0, len(content), 30_000):
                await writer.write(content[start : start + 30_000])
        assert await op.read("file") == content
        assert await op.read("file", range=(100_000, 150_000)) == content[100_000:150_000]
        await op.write("file", b"end", append=True)
        assert (await op.read("file"))[-5:] == content[-2:] + b"end"


async def test_wrong_passwords_are_refused(pyftpd_server: FtpServer) -> None:
    config = Ftp(pyftpd_server.endpoint, user=pyftpd_server.user, password="staple")
    with pytest.raises(PermissionDenied, match="refuses the login") as refused:
        await Operator(config, resilient=False).stat("file")
    assert "staple" not in str(refused.value)
    assert refused.value.refuses_credentials


async def test_a_certificate_must_be_trusted(pyftpds_server: FtpServer, tmp_path: Path) -> None:
    config = Ftp(pyftpds_server.endpoint, user=pyftpds_server.user, password=pyftpds_server.password)
    with pytest.raises(PermissionDenied, match=r"certificate of the host .* is not trusted"):
        await Operator(config, resilient=False).exists("file")
    async with Operator(replace(config, allow_invalid_certificates=True)) as op:
        assert not await op.exists("file")
    with pytest.raises(ConfigInvalid, match="ca_file cannot be read"):
        await Operator(replace(config, ca_file=str(tmp_path / "missing"))).exists("file")
    plain = replace(config, endpoint=pyftpds_server.endpoint.replace("ftps", "ftp"))
    with pytest.raises(PermissionDenied):
        await Operator(plain, resilient=False).exists("file")


async def test_a_server_that_is_not_there_is_temporary() -> None:
    with pytest.raises(Unexpected, match="cannot be reached") as failed:
        await Operator(Ftp("127.0.0.1:1"), resilient=False).exists("file")
    assert failed.value.is_temporary


async def test_calls_in_flight_share_the_connections(config: Ftp, folder: Path) -> None:
    async with Operator(replace(config, max_connections=2)) as op:
        await asyncio.gather(*(op.write(f"{number}", b"%d" % number) for number in range(10)))
        assert sorted(await asyncio.gather(*(op.read(f"{number}") for number in range(10))))[3] == b"3"


def test_each_event_loop_and_pickled_operators_connect_by_themselves(config: Ftp, folder: Path) -> None:
    op = Operator(config)

    async def call(op: Operator) -> bytes:
        await op.write("file", b"content")
        return await op.read("file")

    assert asyncio.run(call(op)) == asyncio.run(call(op)) == b"content"
    assert asyncio.run(call(pickle.loads(pickle.dumps(op)))) == b"content"
    assert op.blocking().read("file") == b"content"


async def test_transfers_wait_for_the_sessions_that_there_are_files_for(config: Ftp) -> None:
    """Each session has a file in reserve for its data connection; else all would connect, and none could transfer."""
    async with Operator(config, resilient=False) as op:
        await op.write("first", b"1")
        with few_files(9):
            await asyncio.gather(*(op.write(str(number), b"content") for number in range(40)))
            assert await asyncio.gather(*(op.read(str(number)) for number in range(40))) == [b"content"] * 40


async def test_without_any_file_the_error_says_so(config: Ftp) -> None:
    op = Operator(config, resilient=False)
    await op.exists("first")
    await op.close()
    with few_files(0), pytest.raises(Unexpected, match="Too many open files") as failed:
        await op.read("first")
    assert (failed.value.errno, failed.value.is_temporary) == (errno.EMFILE, True)
    assert "ulimit -n" in str(failed.value)
    await op.close()
