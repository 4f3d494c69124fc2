"""A server with nothing but SFTP 3, which reports failures without their cause: no links, no replacing, no copying."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from entrepot import (
    AlreadyExists,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.errors import ContentIncomplete, ObjectExists
from entrepot.services import Sftp

CONTENT = bytes(range(256)) * 4096  # 1 MiB, many blocks


class Plain(asyncssh.SFTPServer):
    """Serves files, without any extension.

    Attributes:
        faults: what a request does before it is answered, by the name of its method here.
    """

    faults: dict[str, Callable[..., Any]] = {}

    def _missing(self, *_: object) -> Any:
        raise asyncssh.SFTPOpUnsupported("unknown request")

    posix_rename = link = fsync = statvfs = fstatvfs = lock = _missing  # type: ignore[assignment]

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._fail("rename", oldpath, newpath)
        if Path(self.map_path(newpath).decode()).exists():
            raise asyncssh.SFTPFailure("failure")
        super().rename(oldpath, newpath)  # type: ignore[unused-coroutine]

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        try:
            super().mkdir(path, attrs)  # type: ignore[unused-coroutine]
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise
            raise asyncssh.SFTPFailure("failure") from None

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self._fail("open", path, pflags)
        return super().open(path, pflags, attrs)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        changed = self._fail("read", offset, size)
        data: Any = super().read(file_obj, offset, size if changed is None else changed)
        return data  # type: ignore[no-any-return]

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        self._fail("write", offset, data)
        return super().write(file_obj, offset, data)  # type: ignore[return-value]

    def remove(self, path: bytes) -> None:
        if Path(self.map_path(path).decode()).is_dir():
            raise asyncssh.SFTPFailure("failure")
        super().remove(path)  # type: ignore[unused-coroutine]

    def rmdir(self, path: bytes) -> None:
        self._fail("rmdir", path)
        super().rmdir(path)  # type: ignore[unused-coroutine]

    def _fail(self, method: str, *arguments: Any) -> Any:
        fault = self.faults.get(method)
        return None if fault is None else fault(*arguments)


class Full(Plain):
    """A server that says how much space it has: none."""

    def statvfs(self, *_: object) -> Any:
        return asyncssh.SFTPVFSAttrs(bavail=0, favail=0)

    fstatvfs = statvfs


class Sizeless(Plain):
    """A server that does not state sizes, which the protocol allows (draft-ietf-secsh-filexfer-02, 5)."""

    def stat(self, path: bytes) -> Any:
        attributes: Any = asyncssh.SFTPAttrs.from_local(super().stat(path))
        attributes.size = None
        return attributes

    def fstat(self, file_obj: object) -> Any:
        attributes: Any = asyncssh.SFTPAttrs.from_local(super().fstat(file_obj))
        attributes.size = None
        return attributes


@asynccontextmanager
async def served(kind: type[Plain], folder: Path, **faults: Callable[..., Any]) -> AsyncIterator[Operator]:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    authorized = asyncssh.import_authorized_keys(keys[1].export_public_key("openssh").decode())
    server_class = type("Server", (kind,), {"faults": faults})
    async with asyncssh.listen(
        *("127.0.0.1", 0),
        server_host_keys=[keys[0]],
        authorized_client_keys=authorized,
        sftp_factory=server_class,
    ) as server:
        key, port = keys[1].export_private_key().decode(), server.get_port()
        options: Any = {"key": key, "known_hosts_strategy": "accept", "config_file": "/dev/null"}
        config = Sftp(f"any@127.0.0.1:{port}", str(folder), **options)
        async with Operator(config, resilient=False) as op:
            yield op


@pytest.fixture(autouse=True)
def no_copies_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncssh.SFTPClient, "supports_remote_copy", False)


async def test_a_full_disk_is_said_to_be_full_by_a_copy_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncssh.SFTPClient, "supports_remote_copy", True)
    (tmp_path / "source").write_bytes(CONTENT)
    async with served(Full, tmp_path, write=fail) as op:
        with pytest.raises(StorageFull):
            await op.copy("source", "a")
        assert names(tmp_path) == {"source"}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def test_a_file_whose_size_is_not_stated_is_not_read_as_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    async with served(Sizeless, tmp_path) as op:
        for call in (op.read("source"), op.copy("source", "a"), op.write("source", b"more", append=True)):
            with pytest.raises(Unsupported, match="size"):
                await call
        assert (await op.stat("source")).content_length is None
    assert names(tmp_path) == {"source"}


async def test_new_files_are_whole_and_none_is_replaced(tmp_path: Path) -> None:
    async with served(Plain, tmp_path) as op:
        await op.write("d/new", CONTENT)
        await op.write("d/newer", CONTENT, if_not_exists=True)
        with pytest.raises(ObjectExists):
            await op.write("d/newer", b"other", if_not_exists=True)
        for write in (op.write("d/new", b"other"), op.copy("d/newer", "d/new"), op.rename("d/newer", "d/new")):
            with pytest.raises(AlreadyExists, match="cannot replace a file in one step"):
                await write
        assert await op.read("d/new") == CONTENT
        await op.delete("d/new")
        await op.rename("d/newer", "e/new")
        await op.rename("e/new", "e/newest", if_not_exists=True)
        await op.write("e/newest", b"more", append=True)
        assert await op.read("e/newest") == CONTENT + b"more"
    assert names(tmp_path) == {"d", "e", "e/newest"}


async def test_a_copy_goes_through_this_program_in_blocks_that_may_be_short(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    (tmp_path / "source").chmod(0o751)
    async with served(Plain, tmp_path, read=lambda _, size: min(size, 9_999)) as op:
        await op.copy("source", "d/copy")
        with pytest.raises(ObjectExists):
            await op.copy("source", "d/copy", if_not_exists=True)
    assert (tmp_path / "d/copy").read_bytes() == CONTENT
    assert (tmp_path / "d/copy").stat().st_mode & 0o777 == 0o751
    assert names(tmp_path) == {"source", "d", "d/copy"}


@pytest.mark.parametrize("size", [0, 5_000])
async def test_a_copy_of_a_file_that_changes_is_not_published(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)

    def shrink(*_: object) -> None:
        with source.open("r+b") as file:
            file.truncate(size)

    async with served(Plain, tmp_path, read=shrink) as op:
        with pytest.raises(ContentIncomplete):
            await op.copy("source", "copy")
        assert names(tmp_path) == {"source"}


def fail(*_: object) -> None:
    raise asyncssh.SFTPFailure("failure")


def fail_to_make(_: bytes, flags: int) -> None:
    if flags & asyncssh.FXF_CREAT:
        fail()


@pytest.mark.parametrize(("kind", "error"), [(Full, StorageFull), (Plain, Unexpected)])
async def test_a_full_disk_is_said_to_be_full_where_the_server_knows(
    tmp_path: Path, kind: type[Plain], error: type[Exception]
) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    async with served(kind, tmp_path, write=fail) as op:
        for call in (op.write("a", b"content"), op.copy("source", "a"), op.write("source", b"more", append=True)):
            with pytest.raises(error):
                await call
    async with served(kind, tmp_path, open=fail_to_make) as op:
        with pytest.raises(error):
            await op.write("a", b"content")
    assert names(tmp_path) == {"source"}
    assert (tmp_path / "source").read_bytes() == CONTENT


async def test_what_is_in_the_way_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "d" / "sub").mkdir(parents=True)
    async with served(Full, tmp_path, open=fail_to_make) as op:
        with pytest.raises(NotADirectory):
            await op.write("file/below", b"")
    async with served(Plain, tmp_path, rmdir=fail) as op:
        for call, error in (
            (lambda: op.write("d", b""), IsADirectory),
            (lambda: op.rename("file", "d"), IsADirectory),
            (lambda: op.delete("d"), IsADirectory),
            (lambda: op.create_dir("file/"), NotADirectory),
            (lambda: op.create_dir("file/below/"), NotADirectory),
            (lambda: op.rename("missing", "other"), NotFound),
            (lambda: op.delete("d/sub/"), Unexpected),
            (lambda: op.delete("d/", recursive=True), Unexpected),
        ):
            with pytest.raises(error):
                await call()
    assert names(tmp_path) == {"file", "d", "d/sub"}


async def test_a_rename_that_fails_without_a_cause_publishes_nothing(tmp_path: Path) -> None:
    async with served(Plain, tmp_path, rename=fail) as op:
        for options in ({}, {"if_not_exists": True}):
            with pytest.raises(Unexpected, match="without its cause"):
                await op.write("a", b"content", **options)
        assert not names(tmp_path)


class Replacing(Plain):
    """A server that replaces, and whose next response to that is lost."""

    is_lost = True

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        asyncssh.SFTPServer.posix_rename(self, oldpath, newpath)  # type: ignore[unused-coroutine]
        if Replacing.is_lost:
            Replacing.is_lost = False
            self.connection.abort()


@pytest.mark.parametrize("changed", [None, b"of another program"])
async def test_a_write_whose_last_response_was_lost_is_found_to_be_published(
    tmp_path: Path, changed: bytes | None
) -> None:
    Replacing.is_lost = True
    (tmp_path / "file").write_bytes(b"old")
    async with served(Replacing, tmp_path) as op:
        writer = await op.writer("file")
        await writer.write(CONTENT)
        with pytest.raises(Unexpected) as lost:
            await writer.close()
        assert lost.value.is_temporary
        if changed is None:
            assert (await writer.close()).content_length == len(CONTENT)
            assert await op.read("file") == CONTENT
            return
        (tmp_path / "file").write_bytes(changed)
        with pytest.raises(NotFound) as unsure:
            await writer.close()
        assert unsure.value.context["may_have_taken_effect"]
        await writer.abort()
    assert (tmp_path / "file").read_bytes() == changed
