"""Objects as files of `io`: what they read and write, what they refuse, and what is never published."""

import codecs
import contextlib
import gc
import gzip
import io
import os
import pickle
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrepot import AlreadyExists, NotFound, Operator, Unexpected, Unsupported
from entrepot.errors import Error
from entrepot.raw.oio.read.read_ahead import START
from entrepot.services import Memory
from entrepot.testing.synthetic import Synthetic
from tests.facade.faults import FailingWrites

CONTENT = bytes(range(256)) * 1024
STORAGES = pytest.mark.parametrize("storage", ["fs", "memory", "s3"], indirect=True)


@pytest.fixture
def op(storage):
    with storage.operator.blocking() as op:
        yield op


@pytest.fixture
def memory():
    return Operator(Memory()).blocking()


@STORAGES
def test_a_file_reads_and_writes_bytes_and_text(op):
    with op.open("a", "wb") as file:
        assert file.write(CONTENT) == len(CONTENT)
        assert file.write(memoryview(b"end")) == 3
        assert not op.exists("a")
    with op.open("a", "rb") as file:
        assert (file.read(3), file.seek(-3, 2), file.read(), file.read()) == (b"\0\1\2", len(CONTENT), b"end", b"")
        buffer = bytearray(1000)
        assert (file.seek(5), file.readinto(buffer), bytes(buffer)) == (5, 1000, CONTENT[5:1005])
        assert (file.tell(), file.readable(), file.writable(), file.seekable()) == (1005, True, False, True)
        assert file.read() == CONTENT[1005:] + b"end"
    with op.open("t", "w") as file:
        print("eins", "zwölf", sep="\n", file=file)
    with op.open("t") as file:
        assert (list(file), file.seek(0), file.readline(), file.read()) == (
            ["eins\n", "zwölf\n"],
            0,
            "eins\n",
            "zwölf\n",
        )
    assert op.read("t") == "eins\nzwölf\n".encode()


@pytest.mark.parametrize("mode", ["wb", "ab", "xb", "w"])
def test_the_name_of_a_file_that_writes_is_no_path_for_open(mode):
    """pandas 2.2 to 3.0 writes into the local file of this name, if it is a string or bytes."""
    with Operator(Memory()).blocking().open("a/b", mode) as file:
        assert not isinstance(file.name, str | bytes)
        assert file.name == "a/b"
        assert f"{file.name}" == "a/b"
        assert "name='a/b'" in repr(file)
        with pytest.raises(TypeError):
            os.fspath(file.name)


@STORAGES
def test_a_file_is_of_io(op):
    op.write("a", b"1\n2\n")
    classes = {"rb": io.BufferedReader, "r": io.TextIOWrapper, "wb": io.BufferedWriter, "w": io.TextIOWrapper}
    for mode, kind in classes.items():
        with op.open("a" if "r" in mode else "b", mode) as file:
            assert isinstance(file, kind)
            assert isinstance(file, io.IOBase)
            assert (file.name, file.mode) == ("a" if "r" in mode else "b", mode)
            assert not file.isatty()
            with pytest.raises(io.UnsupportedOperation):
                file.fileno()
    with op.open("a", "rb", buffering=0) as raw:
        assert isinstance(raw, io.RawIOBase)
        assert (raw.read(1), raw.readline(), raw.readall()) == (b"1", b"\n", b"2\n")


@pytest.mark.parametrize("storage", ["fs", "memory"], indirect=True)
def test_append_continues_and_exclusive_refuses_what_exists_when_opened_and_when_closed(op):
    for piece in ("a", "b"):
        with op.open("log", "a") as file:
            file.write(piece)
    assert op.read("log") == b"ab"
    with pytest.raises(FileExistsError) as raised:
        op.open("log", "xb")
    assert isinstance(raised.value, AlreadyExists)
    with pytest.raises(AlreadyExists), op.open("new", "xb") as file:
        file.write(b"mine")
        op.write("new", b"theirs")
    assert op.read("new") == b"theirs"
    with op.open("fresh", "x") as file:
        file.write("ok")
    assert op.read("fresh") == b"ok"


@pytest.mark.parametrize("storage", ["fs", "memory"], indirect=True)
def test_the_position_of_a_file_that_appends_is_that_of_a_local_one(op, tmp_path):
    """A program that appends rows writes its header at the position 0."""

    def positions(open_file, name):
        seen = []
        for mode, data in (("a", "header"), ("ab", b"row"), ("a", "row"), ("w", "new")):
            with open_file(name, mode) as file:
                seen.append(file.tell())
                file.write(data)
                seen.append(file.tell())
        return seen

    assert positions(op.open, "log") == positions(lambda name, mode: (tmp_path / name).open(mode), "local log")
    with op.open("log", "ab", buffering=0) as file:
        assert file.tell() == 3


@pytest.mark.parametrize("mode", ["wb", "xb", "ab", "w"])
@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_file_that_writes_does_not_say_that_it_can_seek(memory, mode, buffering):
    """boto3 writes the parts of a download in any order into a file that says so."""
    with memory.open("a", mode, buffering=-1 if mode == "w" else buffering) as file:
        assert not file.seekable()
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0)


def test_newlines_encodings_and_buffers_are_those_of_io(memory, tmp_path):
    for settings in (
        {"newline": ""},
        {"newline": "\n"},
        {"newline": "\r\n", "encoding": "utf-16"},
        {"encoding": "latin-1", "errors": "replace"},
        {"buffering": 2},
        {"buffering": 1},
    ):
        text = "ä\r\nb\nc\r" * 50
        local, options = tmp_path / "f", {"encoding": "utf-8", **settings}
        with memory.open("f", "w", **settings) as ours, local.open("w", **options) as theirs:
            ours.write(text)
            theirs.write(text)
        assert memory.read("f") == local.read_bytes()
        with memory.open("f", **settings) as ours, local.open(**options) as theirs:
            assert (ours.readline(), ours.tell(), ours.read()) == (theirs.readline(), theirs.tell(), theirs.read())


WRONG = {
    "unknown mode": (("a", "q"), ValueError),
    "twice the same": (("a", "rr"), ValueError),
    "two actions": (("a", "rw"), ValueError),
    "no action": (("a", "b"), ValueError),
    "text and binary": (("a", "rbt"), ValueError),
    "read and write": (("a", "r+b"), io.UnsupportedOperation),
    "unbuffered text": (("a", "r", 0), ValueError),
    "encoding of bytes": (("a", "rb", -1, "utf-8"), ValueError),
    "errors of bytes": (("a", "rb", -1, None, "strict"), ValueError),
    "newline of bytes": (("a", "rb", -1, None, None, ""), ValueError),
    "unknown newline": (("a", "r", -1, None, None, "x"), ValueError),
    "unknown encoding": (("a", "r", -1, "klingon"), LookupError),
    "no text encoding": (("a", "r", -1, "hex"), LookupError),
    "unknown error handler": (("a", "r", -1, None, "whatever"), LookupError),
    "mode of another type": (("a", 5), TypeError),
    "buffering of another type": (("a", "rb", "1"), TypeError),
    "encoding of another type": (("a", "r", -1, 5), TypeError),
}


@pytest.mark.parametrize(("arguments", "error"), WRONG.values(), ids=WRONG.keys())
async def test_wrong_arguments_raise_what_io_raises_before_any_call(arguments, error, tmp_path):
    op = Operator(Synthetic(b"", read_can_seek=False))
    (tmp_path / "a").touch()
    with pytest.raises(error):
        op.open(*arguments)
    with pytest.raises(error):
        op.blocking().open(*arguments)
    if arguments[1] != "r+b" and "whatever" not in arguments:  # which `io` checks in development mode only
        with pytest.raises(error):
            (tmp_path / "a").open(*arguments[1:])


def test_a_file_refuses_what_its_mode_excludes_as_io_does(memory):
    memory.write("a", b"text")
    with memory.open("a", "rb") as reading, memory.open("b", "wb") as writing, memory.open("c", "w") as text:
        for refused in (
            lambda: reading.write(b""),
            writing.read,
            lambda: writing.seek(0),
            text.read,
            lambda: text.seek(0),
            reading.truncate,
        ):
            with pytest.raises(io.UnsupportedOperation):
                refused()
        for wrong in (lambda: writing.write("text"), lambda: text.write(b"bytes"), lambda: reading.readinto(b"")):
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(ValueError):
            reading.seek(-1)
    for closed in (reading.read, lambda: writing.write(b""), lambda: text.write("")):
        with pytest.raises(ValueError, match="closed"):
            closed()
    with pytest.raises(NotFound), memory.open("missing") as file:
        file.read()
    with pytest.raises(Unsupported):
        Operator(Synthetic(b"")).blocking().open("a", "w")


@pytest.mark.parametrize("mode", ["rb", "r", "wb", "w"])
@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_file_cannot_be_pickled(memory, mode, buffering):
    if "b" in mode or buffering:
        with memory.open("a", mode, buffering) as file, pytest.raises(TypeError, match="pickle"):
            pickle.dumps(file)


@STORAGES
def test_a_block_that_fails_publishes_nothing(op):
    for mode, data in (("wb", b"half"), ("w", "half")):
        with pytest.raises(ZeroDivisionError), op.open("a", mode) as file:
            file.write(data)
            file.flush()
            raise ZeroDivisionError
        assert file.closed
    with pytest.raises(ZeroDivisionError), op.open("a", "wb", 0) as raw:
        raw.write(b"half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), op.open("a", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("member", "x")
        raise ZeroDivisionError
    file = op.open("a", "w")
    file.write("half")
    file.abort()
    file.close()
    assert not op.exists("a")


WRAPPERS = {
    "text": io.TextIOWrapper,
    "codecs": codecs.getwriter("utf-8"),
    "closing": contextlib.closing,
    "buffer": io.BufferedWriter,
    "gzip": lambda file: io.TextIOWrapper(gzip.GzipFile(fileobj=file, mode="wb")),
}


@pytest.mark.filterwarnings("ignore:unclosed file")
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_block_of_a_wrapper_that_fails_publishes_nothing(memory, wrapper):
    content = b"1" if wrapper in {"closing", "buffer"} else "1"
    with pytest.raises(ZeroDivisionError), WRAPPERS[wrapper](memory.open("half", "wb")) as file:
        file.write(content)
        raise ZeroDivisionError
    del file
    gc.collect()
    assert not memory.exists("half")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        with memory.open("about", "wb") as outer, WRAPPERS[wrapper](outer) as file:
            file.write(content)
    assert memory.exists("about")


@STORAGES
def test_a_file_left_open_warns_and_publishes_nothing(op):
    op.write("a", bytes(500_000))

    def leave(mode):
        file = op.open("a" if "r" in mode else "left", mode)
        if "r" in mode:
            file.read(1)
        else:
            file.write(b"half" if "b" in mode else "half")

    for mode in ("rb", "r", "wb", "w"):
        with pytest.warns(ResourceWarning, match="unclosed file") as caught:
            leave(mode)
        assert [str(warning.message) for warning in caught if "unclosed" not in str(warning.message)] == []
        assert len(caught) == 1
    assert not op.exists("left")


def test_a_failed_write_dooms_the_file(memory):
    for mode, data, buffering in (("wb", b"0123456789", 4), ("w", "0123456789", 4), ("wb", b"0123456789", 0)):
        op = memory.layer(FailingWrites(Unexpected("full")))
        file = op.open("a", mode, buffering)
        with pytest.raises(Error):
            file.write(data * 10_000)
            file.flush()
        with warnings.catch_warnings(action="ignore"):
            try:
                file.close()
            except Error:
                assert file.closed
    assert not memory.exists("a")


def test_small_reads_after_a_seek_fetch_what_is_read_and_later_ones_share_a_fetch():
    service = Synthetic(CONTENT, read_can_seek=False)
    service.script.sizes = (1 << 20,)
    with Operator(service).blocking().open("a", "rb") as file:
        for position in (200_000, 100_000, 150_000):
            file.seek(position)
            assert file.read(1000) == CONTENT[position : position + 1000]
        for position in range(151_000, 151_000 + 3 * START, 100):
            assert file.read(100) == CONTENT[position : position + 100]
    sizes = [call.args.range.length for call in service.script.calls if call.operation == "read"]
    assert sizes[:3] == [1000, 1000, 1000]
    assert len(sizes) <= 6


@STORAGES
def test_threads_share_an_archive(op):
    with op.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for i in range(20):
            archive.writestr(str(i), str(i) * 10_000)
    with op.open("a.zip", "rb") as file, zipfile.ZipFile(file) as archive, ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(archive.read, archive.namelist()))
    assert contents == [(str(i) * 10_000).encode() for i in range(20)]


def test_a_large_read_into_a_buffer_takes_no_memory_beside_it(memory):
    memory.write("a", bytes(8 << 20))
    buffer = bytearray(8 << 20)
    import tracemalloc

    with memory.open("a", "rb") as file:
        tracemalloc.start()
        assert file.readinto(buffer) == len(buffer)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 << 20
