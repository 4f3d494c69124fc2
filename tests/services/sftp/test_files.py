"""What the behaviour suite does not check: links, permissions, lost connections, and what is in flight."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from entrepot import (
    AlreadyExists,
    EntryMode,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    Unexpected,
    Unsupported,
)
from entrepot.errors import ObjectExists
from entrepot.raw.suite import Place
from entrepot.services import Sftp
from entrepot.services.sftp.behavior import TARGETS
from entrepot.testing import Fault, FaultProxy, FaultScript, SshServer
from tests.behavior.targets import new_root

CONTENT = bytes(range(256)) * 16 * 1024  # 4 MiB
TEMPORARY = ".entrepot-0123456789abcdef.tmp"


@pytest.fixture
def config(sshd_server: SshServer, tmp_path: Path) -> Sftp:
    """A new root on the server."""
    store = TARGETS[0].open(Place(tmp_path, new_root(), sshd_server))
    assert isinstance(store.config, Sftp)
    Path(store.config.root).mkdir()
    return store.config


@pytest.fixture
def folder(config: Sftp) -> Path:
    return Path(config.root)


@pytest.fixture
def proxy(sshd_server: SshServer) -> Iterator[FaultProxy]:
    with FaultProxy(sshd_server.endpoint) as running:
        yield running


def through(config: Sftp, proxy: FaultProxy) -> Sftp:
    return replace(config, endpoint=proxy.endpoint.rpartition("/")[2], known_hosts_strategy="accept")


async def test_links_are_described_and_not_entered(config: Sftp, folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d" / "file").write_bytes(b"content")
    (folder / "d" / "up").symlink_to(folder)
    (folder / "link").symlink_to("d/file")
    (folder / "dangling").symlink_to("nothing")
    async with Operator(config) as op:
        entries = {entry.path: entry.metadata for entry in await op.list("/", recursive=True)}
        assert set(entries) == {"/", "d/", "d/file", "d/up/", "link", "dangling"}
        assert entries["link"].content_length == 7
        assert entries["dangling"].mode is EntryMode.UNKNOWN
        assert await op.read("link") == b"content"
        await op.delete("d/", recursive=True)
        assert {entry.path for entry in await op.list("/")} == {"/", "link", "dangling"}


async def test_a_replaced_file_keeps_its_permissions_and_a_copy_has_those_of_its_source(
    config: Sftp, folder: Path
) -> None:
    (folder / "program").write_bytes(b"old")
    (folder / "program").chmod(0o751)
    async with Operator(config) as op:
        await op.write("program", b"new")
        await op.copy("program", "copy")
    assert [(folder / name).stat().st_mode & 0o777 for name in ("program", "copy")] == [0o751, 0o751]
    assert sorted(path.name for path in folder.iterdir()) == ["copy", "program"]


async def test_permissions_that_are_right_already_are_not_sent(
    config: Sftp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[asyncssh.SFTPAttrs]()

    async def setstat(file: asyncssh.SFTPClientFile, attributes: asyncssh.SFTPAttrs) -> None:
        sent.append(attributes)

    monkeypatch.setattr(asyncssh.SFTPClientFile, "setstat", setstat)
    async with Operator(config) as op:
        await op.write("file", b"old")
        await op.write("file", b"new")
        assert not sent
        (folder / "file").chmod(0o600)
        await op.write("file", b"newer")
        assert [attributes.permissions for attributes in sent] == [0o600]


async def test_names_that_no_path_can_have_are_left_out(
    config: Sftp, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "a\nb").touch()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    (folder / TEMPORARY).touch()
    (folder / "kept é%?#").touch()
    async with Operator(config) as op:
        assert {entry.path for entry in await op.list("/")} == {"/", "kept é%?#"}
        assert "left out 2 names" in caplog.text
        async with op.at("/").lister("/", recursive=True) as lister:
            assert [entry.path async for entry in lister] == ["/", "kept é%?#"]
        (error,) = lister.left_out()
        assert (error.kind, error.path) == ("Unsupported", "/")
        with pytest.raises(InvalidInput, match="reserved"):
            await op.write(TEMPORARY, b"")
        with pytest.raises(InvalidInput, match=r"'\.\.'"):
            await op.read("../outside")
        assert not await op.exists(TEMPORARY)


async def test_a_directory_with_what_killed_writers_left_can_be_deleted(config: Sftp, folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d" / TEMPORARY).touch()
    async with Operator(config) as op:
        await op.delete("d/")
    assert not list(folder.iterdir())


async def test_a_fifo_is_neither_read_nor_replaced(config: Sftp, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    async with Operator(config) as op:
        with pytest.raises(Unsupported, match="FIFO"):
            await op.read("fifo")
        with pytest.raises(Unsupported, match="FIFO"):
            await op.write("fifo", b"")
        await op.delete("fifo")
    assert not list(folder.iterdir())


async def test_a_failure_without_a_cause_is_told_apart(config: Sftp, folder: Path) -> None:
    (folder / "d" / "sub").mkdir(parents=True)
    (folder / "file").write_bytes(b"x")
    async with Operator(config, resilient=False) as op:
        for refused, error in (
            (lambda: op.delete("d"), IsADirectory),
            (lambda: op.delete("d/"), IsADirectory),
            (lambda: op.write("d", b""), IsADirectory),
            (lambda: op.rename("file", "d"), IsADirectory),
            (lambda: op.write("file", b"", if_not_exists=True), AlreadyExists),
            (lambda: op.copy("file", "d"), IsADirectory),
            (lambda: op.write("file/below", b""), NotADirectoryError),
            (lambda: op.create_dir("file/"), NotADirectoryError),
        ):
            with pytest.raises(error):
                await refused()
        await op.delete("file/")  # names no directory
        assert await op.read("file") == b"x"


async def test_a_read_goes_on_after_the_connection_was_lost(config: Sftp, folder: Path, proxy: FaultProxy) -> None:
    (folder / "file").write_bytes(CONTENT)
    async with Operator(through(config, proxy), resilient=False) as op, await op.reader("file") as reader:
        assert await reader.read(1000) == CONTENT[:1000]
        proxy.cut()
        with pytest.raises(Unexpected) as lost:
            await reader.readexactly(2_000_000)
        assert lost.value.is_temporary
        assert await reader.readexactly(2_000_000) == CONTENT[1000:2_001_000]
        (folder / "file").write_bytes(CONTENT[:-1])
        proxy.cut()
        with pytest.raises(Unexpected):
            await reader.read(10)
        with pytest.raises(OSError, match="changed during the read"):
            await reader.read(10)


@pytest.mark.parametrize("after", [10_000, 200_000])
async def test_retries_recover_from_a_cut_in_a_read_and_in_a_write(
    config: Sftp, folder: Path, proxy: FaultProxy, after: int
) -> None:
    (folder / "file").write_bytes(CONTENT)
    proxy.plan(FaultScript([Fault("reset", after=after)], per="connection"))
    async with Operator(through(config, proxy)) as op:
        assert await op.read("file") == CONTENT
    proxy.plan(FaultScript([Fault("reset", after=after, way="up")], per="connection"))
    async with Operator(through(config, proxy)) as op:
        await op.write("target", CONTENT)
    assert proxy.counts()["reset"] == 2
    assert (folder / "target").read_bytes() == CONTENT


async def test_a_cut_in_a_write_publishes_nothing(config: Sftp, folder: Path, proxy: FaultProxy) -> None:
    (folder / "file").write_bytes(b"old")
    proxy.plan(FaultScript([Fault("reset", after=100_000, way="up")], per="connection"))
    async with Operator(through(config, proxy), resilient=False) as op:
        writer = await op.writer("file", chunk=1_000_000)
        await writer.write(CONTENT)
        await writer.write(b"more")
        with pytest.raises(Unexpected):
            await writer.close()
        assert (folder / "file").read_bytes() == b"old"
        await writer.close()  # a second time it goes on
        assert (folder / "file").read_bytes() == CONTENT + b"more"
        broken = await op.writer("file", chunk=1000)
        for _ in range(3):
            await broken.write(CONTENT)
        proxy.cut()
        await broken.abort()
    assert (folder / "file").read_bytes() == CONTENT + b"more"
    assert [path.name for path in folder.iterdir()] == ["file"]


async def test_a_cancelled_call_leaves_a_session_that_works(config: Sftp, folder: Path) -> None:
    (folder / "file").write_bytes(CONTENT)
    async with Operator(config, resilient=False) as op:
        for delay in (0.0, 0.001, 0.005, 0.02):
            task = asyncio.ensure_future(op.read("file"))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await op.read("file", range=(10, 20)) == CONTENT[10:20]


async def test_a_pickled_operator_connects_by_itself_and_closed_ones_connect_again(config: Sftp) -> None:
    op = Operator(config)
    await op.write("file", b"content")
    copy = pickle.loads(pickle.dumps(op))
    assert await copy.read("file") == b"content"
    await copy.close()
    await op.close()
    assert await op.read("file") == b"content"
    await op.close()


def test_each_event_loop_has_its_own_connection(config: Sftp) -> None:
    op = Operator(config)

    async def call() -> bytes:
        await op.write("file", b"content")
        return await op.read("file")

    assert [asyncio.run(call()) for _ in range(2)] == [b"content"] * 2
    assert op.blocking().read("file") == b"content"


async def test_a_missing_root_is_made_by_the_first_write(config: Sftp, folder: Path) -> None:
    async with Operator(replace(config, root=f"{folder}/new/er")) as op:
        assert not await op.exists("file")
        with pytest.raises(NotFound):
            await op.read("file")
        assert [entry.path for entry in await op.list("/")] == ["/"]
        await op.write("file", b"")
        assert (await op.stat("file")).content_length == 0


async def test_an_append_that_was_cut_goes_on_after_what_the_server_has(
    config: Sftp, folder: Path, proxy: FaultProxy
) -> None:
    file = folder / "file"
    file.write_bytes(b"before")
    async with Operator(through(config, proxy), resilient=False) as op:
        writer = await op.writer("file", append=True)
        await writer.write(CONTENT[1:])
        closing = asyncio.ensure_future(writer.close())
        while file.stat().st_size < len(CONTENT) // 4:
            await asyncio.sleep(0)
        proxy.cut()
        with pytest.raises(Unexpected):
            await closing
        await writer.close()
    assert file.read_bytes() == b"before" + CONTENT[1:]


async def lost(*_: object) -> None:
    raise asyncssh.SFTPConnectionLost("lost")


async def test_a_new_file_whose_temporary_name_could_not_be_removed_at_once_is_published(
    config: Sftp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Operator(config, resilient=False) as op:
        writer = await op.writer("file", if_not_exists=True)
        await writer.write(b"content")
        with monkeypatch.context() as patched:
            patched.setattr(asyncssh.SFTPClient, "remove", lost)
            with pytest.raises(Unexpected, match="lost"):
                await writer.close()
        await writer.close()
        assert await op.read("file") == b"content"
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_copy_whose_temporary_name_could_not_be_removed_is_made(
    config: Sftp, folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    (folder / "file").write_bytes(b"content")
    remove, left = asyncssh.SFTPClient.remove, [lost] * failures

    async def remove_or_fail(*args: Any) -> None:
        await (left.pop() if left else remove)(*args)

    monkeypatch.setattr(asyncssh.SFTPClient, "remove", remove_or_fail)
    async with Operator(config, resilient=False) as op:
        await op.copy("file", "copy", if_not_exists=True)
        assert await op.read("copy") == b"content"
        assert {entry.path for entry in await op.list("/")} == {"/", "copy", "file"}
    assert not left
    assert len(list(folder.iterdir())) == 1 + failures


async def test_it_is_said_when_the_file_that_exists_may_be_the_own_one(
    config: Sftp, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = asyncssh.SFTPClient.link

    async def link_and_lose(*args: Any) -> None:
        await link(*args)
        await lost()

    async with Operator(config, resilient=False) as op:
        writer = await op.writer("file", if_not_exists=True)
        await writer.write(b"content")
        with monkeypatch.context() as patched:
            patched.setattr(asyncssh.SFTPClient, "link", link_and_lose)
            with pytest.raises(Unexpected, match="lost"):
                await writer.close()
        with pytest.raises(ObjectExists) as exists:
            await writer.close()
        assert exists.value.context["may_have_taken_effect"]
        await writer.abort()


@pytest.mark.parametrize("is_repeated", [True, False])
async def test_a_temporary_file_is_removed_whose_making_was_cancelled(
    config: Sftp, folder: Path, monkeypatch: pytest.MonkeyPatch, is_repeated: bool
) -> None:
    open_file = asyncssh.SFTPClient.open
    is_made = asyncio.Event()

    async def open_and_hang(*args: Any, **options: Any) -> None:
        await open_file(*args, **options)
        is_made.set()
        await asyncio.Event().wait()

    async with Operator(config, resilient=False) as op:
        writer = await op.writer("file")
        await writer.write(b"content")
        with monkeypatch.context() as patched:
            patched.setattr(asyncssh.SFTPClient, "open", open_and_hang)
            closing = asyncio.ensure_future(writer.close())
            await is_made.wait()
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
        await (writer.close() if is_repeated else writer.abort())
    assert [path.name for path in folder.iterdir()] == (["file"] if is_repeated else [])


def handles_in(folder: Path) -> int:
    """How often files and directories in a folder are open, in all processes of the user."""
    count = 0
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it was closed just now, or is of another user
            count += str(link.readlink()).startswith(str(folder))
    return count


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the handles of other processes are counted by /proc")
async def test_what_a_cancelled_call_has_opened_is_closed(
    config: Sftp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_bytes(b"content")
    is_sent = asyncio.Event()
    open_file, scan = asyncssh.SFTPClient.open, asyncssh.SFTPClient.scandir

    def noted_open(*args: Any, **options: Any) -> Any:
        is_sent.set()
        return open_file(*args, **options)

    def noted_scan(*args: Any) -> Any:
        is_sent.set()
        return scan(*args)

    monkeypatch.setattr(asyncssh.SFTPClient, "open", noted_open)
    monkeypatch.setattr(asyncssh.SFTPClient, "scandir", noted_scan)
    async with Operator(config, resilient=False) as op:
        for call in (lambda: op.read("file"), lambda: op.list("/"), lambda: op.write("new", b"")):
            for _ in range(5):
                is_sent.clear()
                task = asyncio.ensure_future(call())
                await is_sent.wait()
                task.cancel()
                assert isinstance(*await asyncio.gather(task, return_exceptions=True), asyncio.CancelledError)
        for _ in range(20):  # the server answers in turn
            await op.stat("file")
        assert handles_in(folder) == 0
        assert [entry.path for entry in await op.list("/")] == ["/", "file"]
