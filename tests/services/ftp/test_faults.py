"""What a server refuses, and what it breaks."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from entrepot import (
    AlreadyExists,
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


async def listed(op: Operator) -> object:
    return await op.list("/")


async def made(op: Operator) -> object:
    return await op.create_dir("new/")


async def deleted(op: Operator) -> object:
    return await op.delete("file")


async def moved(op: Operator) -> object:
    return await op.rename("file", "new")


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
        ("EPSV", "229 (|||65536|)", read, Unexpected, True),
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
        ("MLST", "250-\r\n type=OS.unix=pipe;size=0; /file\r\n250 end", read, Unsupported, False),
        ("MLSD", "550 no", listed, PermissionDenied, False),
        ("MLSD", "450 busy", listed, Unexpected, True),
        ("MKD", "550 no", made, PermissionDenied, False),
        ("MKD", "421 bye", made, Unexpected, True),
        ("DELE", "550 no", deleted, PermissionDenied, False),
        ("DELE", "450 busy", deleted, Unexpected, True),
        ("RNFR", "550 no", moved, PermissionDenied, False),
        ("RNFR", "450 busy", moved, Unexpected, True),
        ("RNTO", "553 name", moved, InvalidInput, False),
        ("RNTO", "451 disk", moved, Unexpected, True),
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


@pytest.mark.parametrize("facts", ["type=file;", f"type=file;size={'9' * 5000};"])
async def test_a_size_that_is_not_among_the_facts_is_asked_for(facts: str) -> None:
    async with scripted() as server, operator_on(server) as op:
        server.replies["MLST"] = f"250-\r\n {facts} /file\r\n250 end"
        server.replies["SIZE"] = "213 10"
        assert (await op.stat("file")).content_length == 10
        assert await op.read("file") == b"0123456789"
        server.replies["SIZE"] = "502 no"
        for call in (op.read("file"), op.write("file", b"more", append=True)):
            with pytest.raises(Unsupported, match="the size"):
                await call


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


async def test_a_deletion_that_is_refused_is_requested_once_and_retried_if_that_may_help() -> None:
    async with scripted() as server, operator_on(server, resilient=True) as op:
        await op.write("new", b"content")
        server.replies["DELE"] = "550 no"
        with pytest.raises(PermissionDenied):
            await op.delete("new")
        assert server.commands.count("DELE") == 1
        server.replies["DELE"], server.breaks_once = "450 busy", True
        await op.delete("new")
        assert (server.commands.count("DELE"), server.files) == (3, {})


async def test_what_a_server_does_not_replace_exists_already() -> None:
    async with scripted() as server, operator_on(server) as op:
        await op.write("new", b"content")
        server.replies["RNTO"] = "550 no"
        for call in (op.rename("new", "file"), op.write("new", b"other")):
            with pytest.raises(AlreadyExists, match="delete it first"):
                await call
        assert server.files == {"/new": b"content"}


@pytest.mark.parametrize("changed", [None, b"of another program"])
async def test_a_write_whose_last_reply_was_lost_is_found_to_be_published(changed: bytes | None) -> None:
    async with scripted() as server, operator_on(server) as op:
        writer = await op.writer("new")
        await writer.write(b"content")
        server.lost.add("RNTO")
        with pytest.raises(Unexpected) as lost:
            await writer.close()
        assert lost.value.is_temporary
        assert server.files == {"/new": b"content"}
        if changed is None:
            assert (await writer.close()).content_length == 7
            return
        server.files["/new"] = changed
        with pytest.raises(NotFound) as unsure:
            await writer.close()
        assert unsure.value.context["may_have_taken_effect"]
        await writer.abort()
        assert server.files == {"/new": changed}


async def test_the_address_of_pasv_is_ignored() -> None:
    async with scripted() as server, operator_on(server) as op:
        server.replies["EPSV"] = "500 what"
        for _ in range(2):
            assert await op.read("file") == b"0123456789"
        assert [server.commands.count(name) for name in ("EPSV", "PASV")] == [1, 2]


async def test_a_call_sends_no_command_without_need() -> None:
    async with scripted() as server, operator_on(server) as op:
        await op.stat("file")
        server.commands.clear()
        await op.read("file")
        assert server.commands == ["MLST", "EPSV", "RETR", "MLST"]
        server.commands.clear()
        await op.write("new", b"content")
        assert server.commands == ["MLST", "EPSV", "STOR", "MLST", "RNFR", "RNTO"]


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


async def test_what_a_server_says_unasked_is_no_reply() -> None:
    async with scripted() as server, operator_on(server) as op:
        for number, reply in enumerate(("421 idle for too long", "550 no such file", "250 done"), 1):
            assert (await op.stat("file")).content_length == 10
            assert server.logins == number
            await server.say(reply)


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
