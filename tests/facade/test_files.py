"""Objects as files with async methods: code for aiofiles runs on them, and no half-written one is published."""

import asyncio
import gc
import io
import pickle
from array import array
from contextlib import aclosing

import aiofiles
import anyio
import pytest

from entrepot import AlreadyExists, InvalidInput, NotFound, Operator, Unexpected
from entrepot.facade.files import BinaryReader
from entrepot.raw.oio.read.read_ahead import START
from entrepot.services import Memory
from entrepot.testing.synthetic import Synthetic
from tests.facade.faults import FailingWrites

TEXT = "eins\nzwölf\r\ndrei\rvier"
CONTENT = bytes(range(256)) * 1024


async def write_and_read_bytes(open_file, name):
    seen = []
    async with open_file(name, "wb") as file:
        seen += [await file.write(b"abc\n"), await file.write(bytearray(b"de\nf")), await file.tell()]
        await file.writelines([b"gh\n", b"ij"])
        await file.flush()
        seen += [await file.writable(), await file.seekable() in {True, False}, file.closed, file.mode]
    async with open_file(name, "rb") as file:
        seen += [await file.read(2), await file.readline(), await file.tell(), await file.readlines()]
        seen += [await file.seek(-4, 2), await file.read(), await file.read(), await file.seek(1), await file.read(1)]
        buffer = bytearray(3)
        seen += [await file.readinto(buffer), buffer, await file.seek(-1, 1), await file.readline(1)]
        seen += [await file.seek(0), [line async for line in file], file.readable(), await file.seekable()]
        seen += [await file.seek(0), len(await file.peek()) > 0, await file.read1(2), await file.read(None)]
        seen += [await file.seek(0), await file.readlines(4), await file.readlines(5)]
    return [*seen, file.closed]


async def write_and_read_text(open_file, name):
    seen = []
    for newline in (None, "", "\n", "\r", "\r\n"):
        async with open_file(name, "w", newline=newline, encoding="utf-8") as file:
            seen.append(await file.write(TEXT))
            await file.writelines(["\n", "ende\n"])
        async with open_file(name, "rb") as file:
            seen.append(await file.read())
        async with open_file(name, newline=newline, encoding="utf-8") as file:
            seen += [await file.readline(), position := await file.tell(), await file.readline(3)]
            seen += [await file.read(4), await file.readlines(), await file.readline(), file.encoding, file.errors]
            seen += [await file.seek(position), await file.read(), await file.seek(0), await file.readlines(3)]
            seen += [[line async for line in file], await file.seek(0, 2) > 0, await file.read(1), file.newlines]
    return seen


async def positions_in_text(open_file, name):
    seen = []
    for encoding in ("utf-8", "utf-16", "utf-8-sig", "shift_jis", "utf-7"):
        text = "日本 ein\r\nzwei" if encoding != "utf-8" else "日本 ein\r\nzwei " * 20_000
        async with open_file(name, "w", encoding=encoding, newline="") as file:
            await file.write(text[:1])
            await file.write(text[1:])
        async with open_file(name, encoding=encoding) as file:
            for n in (1, 1, 4, 1, 3):
                part = await file.read(n)
                cookie = await file.tell()
                rest = await file.read(8)
                assert await file.seek(cookie) == cookie
                assert await file.read(8) == rest
                assert await file.seek(cookie) == cookie
                seen += [part, rest]
            seen.append(len(await file.read()))
    return seen


async def use_by_hand(open_file, name):
    file = await open_file(name, mode="wb", buffering=0)
    await file.write(b"1")
    await file.close()
    await file.close()
    errors = []
    for call in (lambda: file.write(b"2"), file.flush, file.tell, lambda: file.seek(0)):
        with pytest.raises(ValueError) as raised:
            await call()
        errors.append(type(raised.value))
    async with open_file(name, "rb") as reading:
        with pytest.raises(io.UnsupportedOperation):
            await reading.write(b"")
        with pytest.raises(io.UnsupportedOperation):
            await reading.truncate()
    async with open_file(name, "w") as text, open_file(name, "ab") as binary:
        with pytest.raises(io.UnsupportedOperation):
            await text.read()
        for verb in ("read1", "readinto"):
            with pytest.raises(io.UnsupportedOperation):
                await getattr(binary, verb)(bytearray(1) if verb == "readinto" else 1)
        for wrong in (text.write(b""), binary.write("")):
            with pytest.raises(TypeError):
                await wrong
    return [*errors, file.closed]


async def positions_when_appending(open_file, name):
    """The file is new in the first round, as its position says. Then a program would write a header."""
    seen = []
    for mode, data in (("ab", b"header"), ("ab", b"row"), ("a", "row"), ("wb", b"new")):
        async with open_file(name, mode) as file:
            seen.append(await file.tell())
            await file.write(data)
            seen.append(await file.tell())
    return seen


@pytest.mark.parametrize(
    "function",
    [write_and_read_bytes, write_and_read_text, positions_in_text, positions_when_appending, use_by_hand],
)
async def test_functions_for_aiofiles_do_the_same_on_objects(function, tmp_path):
    op = Operator(Memory())
    theirs = await function(lambda name, *args, **options: aiofiles.open(tmp_path / name, *args, **options), "f")
    assert await function(op.open, "f") == theirs


@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
async def test_files_on_other_storages(storage):
    async with storage.operator as op:
        assert (await write_and_read_bytes(op.open, "f"))[-1]
        with pytest.raises(NotFound):
            async with op.open("missing") as file:
                await file.read()


async def test_anyio_takes_the_files(tmp_path):
    op = Operator(Memory())
    async with aclosing(await op.open("a", "w")) as file:
        await file.write("text")
    wrapped = anyio.wrap_file(op.blocking().open("a"))
    async with wrapped as file:
        assert [line async for line in file] == ["text"]
    async with await op.open("a") as file:
        assert await file.read() == "text"


async def test_readinto1_reads_what_one_request_gives():
    op = Operator(Memory())
    await op.write("a", bytes(range(256)) * 400)
    async with op.open("a", "rb") as file:
        parts = []
        while count := await file.readinto1(buffer := array("H", [0]) * 5_000):
            assert 0 < count <= 10_000
            parts.append(buffer.tobytes()[:count])
        assert b"".join(parts) == bytes(range(256)) * 400
        assert await file.readinto1(bytearray()) == 0


async def test_a_block_that_fails_or_is_cancelled_publishes_nothing():
    op = Operator(Memory())
    for mode, data in (("w", "half"), ("wb", b"half"), ("w", "half" * 100_000)):
        with pytest.raises(ZeroDivisionError):
            async with op.open("a", mode) as file:
                await file.write(data)
                raise ZeroDivisionError
        assert file.closed
    file = await op.open("a", "w")
    await file.write("half")
    await file.abort()
    await file.aclose()

    async def writes_for_ever():
        async with op.open("a", "w") as file:
            await file.write("half")
            await asyncio.Event().wait()

    task = asyncio.create_task(writes_for_ever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await op.exists("a")


async def test_a_failed_write_can_be_made_again_and_a_failed_close_publishes_nothing():
    op = Operator(Memory()).layer(FailingWrites(Unexpected("full", is_temporary=True)))
    async with op.open("a", "wb", buffering=4) as file:
        await file.write(b"ab")
        with pytest.raises(Unexpected):
            await file.write(b"0123456789")
        await file.write(b"0123456789")
    assert await op.read("a") == b"ab0123456789"
    op = Operator(Memory()).layer(FailingWrites(Unexpected("full")))
    with pytest.raises(Unexpected):
        async with op.open("b", "w") as text:
            await text.write("half")
    assert text.closed
    assert not await op.exists("b")


async def test_a_file_that_is_dropped_warns_and_so_does_one_that_is_never_awaited():
    op = Operator(Memory())

    async def leave(data):
        file = await op.open("a", "wb")
        await file.write(data)

    for data in (b"small", bytes(1 << 20)):
        with pytest.warns(ResourceWarning) as caught:
            await leave(data)
            gc.collect()
        assert len(caught) == 1
    with pytest.warns(RuntimeWarning, match="never awaited"):
        op.open("a")
    assert not await op.exists("a")


async def test_exclusive_and_append():
    op = Operator(Memory())
    async with op.open("a", "x") as file:
        await file.write("new")
    with pytest.raises(AlreadyExists):
        await op.open("a", "x")
    with pytest.raises(FileExistsError):
        async with op.open("b", "xb") as file:
            await op.write("b", b"theirs")
    async with op.open("a", "a") as file:
        await file.write("er")
    assert (await op.read("a"), await op.read("b")) == (b"newer", b"theirs")
    for encoding in ("utf-8-sig", "utf-16", "UTF_32", "iso2022_jp"):
        await op.write("text", "日".encode(encoding))
        async with op.open("text", "a", encoding=encoding) as file:
            await file.write("本")
        await asyncio.to_thread(append, op.blocking(), "text", encoding)
        assert (await op.read("text")).decode(encoding) == "日本語"


def append(op, path, encoding):
    with op.open(path, "a", encoding=encoding) as file:
        file.write("語")


async def test_small_reads_share_requests_and_a_jump_requests_what_it_reads():
    service = Synthetic(CONTENT, read_can_seek=False)
    service.script.sizes = (1 << 20,)
    async with Operator(service).open("a", "rb") as file:
        for position in (200_000, 100_000):
            await file.seek(position)
            assert await file.read(1000) == CONTENT[position : position + 1000]
        for position in range(101_000, 101_000 + 3 * START, 100):
            assert await file.read(100) == CONTENT[position : position + 100]
    sizes = [call.args.range.length for call in service.script.calls if call.operation == "read"]
    assert sizes[:2] == [1000, 1000]
    assert len(sizes) <= 5


async def test_a_seek_back_after_a_read_into_memory_finds_the_bytes_before():
    op = Operator(Memory())
    await op.write("a", CONTENT)
    async with op.open("a", "rb") as file:
        await file.read(START)
        await file.read(len(await file.peek()))  # the buffer has no bytes left
        position = await file.tell()
        assert await file.readinto(bytearray(100_000)) == 100_000
        await file.seek(-10, 1)
        assert await file.read(10) == CONTENT[position + 99_990 : position + 100_000]


async def test_an_error_leaves_the_position_and_the_buffer():
    service = Synthetic(CONTENT, read_can_seek=False)
    async with Operator(service).open("a", "rb") as file:
        service.script.sizes = (1 << 20,)
        await file.readline()
        position = await file.tell()
        service.script.fail(service.script.verbs + 2, Unexpected("reset", is_temporary=True))
        with pytest.raises(Unexpected):
            await file.read(100_000)
        assert await file.tell() == position
        assert await file.read(100_000) == CONTENT[position : position + 100_000]


async def test_what_is_not_opened_yet_can_be_entered_once_at_a_time_and_no_file_can_be_pickled():
    op = Operator(Memory())
    opening = op.open("a", "w")
    async with opening as file:
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(file)
        with pytest.raises(InvalidInput, match="already entered"):
            async with opening:
                pass
    assert isinstance(await op.open("a", "rb"), BinaryReader)
    with pytest.raises(InvalidInput):
        await op.open("a\0", "w")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "q"), "invalid mode: 'q'"),
        (("a", "rbb"), "invalid mode: 'rbb'"),
        (("a", "p4ssw0rd"), "invalid mode: text of 8 characters"),
        (("a", "r", -1, None, None, "\t"), r"invalid newline: '\\t'"),
    ],
)
async def test_a_wrong_mode_is_shown_if_it_can_be_one(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        await Operator(Memory()).open(*arguments)
