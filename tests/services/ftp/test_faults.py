"""What a server refuses, and what it breaks."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from entrepot import (
    ContentIncomplete,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.services import Ftp
from tests.services.ftp.scripted import ScriptedFtp, scripted


def operator_on(server: ScriptedFtp, *, resilient: bool = False, timeout: float = 5.0) -> Operator:
    config = Ftp(f"127.0.0.1:{server.port}", user="alice", password="battery staple", timeout=timeout)
    return Operator(config, resilient=resilient)


async def stored(op: Operator) -> object:
    return await op.write("new", b"content")


async def read(op: Operator) -> object:
    return await op.read("file")


@pytest.mark.parametrize(
    ("command", "reply", "call", "error", "is_temporary"),
    [
        ("connect", "421 too many", read, RateLimited, True),
        ("USER", "530 who", read, PermissionDenied, False),
        ("PASS", "530 battery staple", read, PermissionDenied, False),
        ("PASS", "332 account", read, PermissionDenied, False),
        ("PASS", "421 too many", read, RateLimited, True),
        ("MLST", "550 no", read, NotFound, False),
        ("MLST", "450 busy", read, Unexpected, True),
        ("MLST", "502 what", read, Unsupported, False),
        ("MLST", "250 type=file;size=10; /file", read, Unexpected, False),
        ("EPSV", "229 here", read, Unexpected, True),
        ("EPSV", "425 no", read, Unexpected, True),
        ("RETR", "550 no", read, PermissionDenied, False),
        ("RETR", "425 no", read, Unexpected, True),
        ("RETR", "cut", read, Unexpected, True),
        ("STOR", "552 quota", stored, StorageFull, False),
        ("STOR", "452 full", stored, StorageFull, False),
        ("STOR", "550 no", stored, PermissionDenied, False),
        ("STOR", "553 name", stored, InvalidInput, False),
        ("STOR", "533 tls", stored, PermissionDenied, False),
        ("RNTO", "cut", stored, Unexpected, True),
        ("RNTO", "550 no", stored, PermissionDenied, False),
    ],
)
async def test_replies(command: str, reply: str, call, error: type[Error], is_temporary: bool) -> None:  # type: ignore[no-untyped-def]
    async with scripted() as server, operator_on(server) as op:
        server.replies[command] = reply
        with pytest.raises(error) as refused:
            await call(op)
        assert type(refused.value).kind == error.kind
        assert refused.value.is_temporary is is_temporary
        assert "staple" not in str(refused.value) + repr(refused.value.__cause__)
        assert "/new" not in server.files
        assert not any(path.endswith(".tmp") for path in server.files)


async def test_a_transfer_that_ends_early_is_noticed_in_spite_of_a_good_reply() -> None:
    async with scripted() as server, operator_on(server) as op:
        server.cut_after = 4
        with pytest.raises(ContentIncomplete, match="6 bytes early"):
            await op.read("file")
        server.cut_after = None
        assert await op.read("file") == b"0123456789"


async def test_retries_recover() -> None:
    async with scripted() as server, operator_on(server, resilient=True) as op:
        server.breaks_once, server.cut_after = True, 4
        assert await op.read("file") == b"0123456789"
        server.cut()
        assert await op.read("file") == b"0123456789"
        server.replies["STOR"] = "426 lost"
        await op.write("new", b"content")
        assert server.files == {"/new": b"content"}


async def test_an_abort_says_when_the_temporary_file_stays() -> None:
    async with scripted() as server, operator_on(server) as op:
        writer = await op.writer("new", chunk=1)
        for _ in range(3):
            await writer.write(b"content")
        server.breaks_once = True
        for reply, error in (("550 no", PermissionDenied), ("450 busy", Unexpected)):
            server.replies["DELE"] = reply
            with pytest.raises(error):
                await writer.abort()
            assert server.files
        await writer.abort()
        assert not server.files


async def test_the_address_of_pasv_is_ignored() -> None:
    async with scripted() as server, operator_on(server) as op:
        server.replies["EPSV"] = "500 what"
        assert await op.read("file") == b"0123456789"
        assert "PASV" in server.commands


async def test_a_connection_is_used_again_unless_its_state_is_unknown() -> None:
    async with scripted(bytes(3_000_000)) as server, operator_on(server) as op:
        for _ in range(3):
            await op.stat("file")
        assert server.logins == 1
        task = asyncio.ensure_future(op.read("file"))
        while "RETR" not in server.commands:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await op.stat("file")).content_length == 3_000_000


async def test_a_name_cannot_bring_in_a_command() -> None:
    async with scripted() as server, operator_on(server) as op:
        for path in ("a\r\nDELE file", "a\nDELE file", "a\0b", "../a"):
            with pytest.raises(InvalidInput):
                await op.write(path, b"")
        assert not server.commands


async def test_a_server_of_another_kind_is_a_typed_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unexpected) as failed:
            await Operator(Ftp(f"127.0.0.1:{port}"), resilient=False).stat("file")
    assert failed.value.is_temporary


async def test_a_server_that_says_nothing_is_a_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Timeout):
            await Operator(Ftp(f"127.0.0.1:{port}", timeout=0.1), resilient=False).stat("file")


async def test_the_password_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with scripted() as server, operator_on(server) as op:
        await op.stat("file")
        server.replies["MLST"] = "500 what"
        with pytest.raises(Unsupported) as failed:
            await op.stat("file")
    assert "staple" not in caplog.text + "".join(traceback.format_exception(failed.value, limit=0))
