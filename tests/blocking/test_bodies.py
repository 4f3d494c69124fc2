"""Readers, writers and listers without `await`: with `with` and `for`, and where files are wanted."""

import gc
import gzip
import io
import json
import os
import sys
import tarfile
import warnings
import zipfile

import pytest

from entrepot import ContentIncomplete, InvalidInput, Unsupported

CONTENT = bytes(range(256)) * 400
STORAGES = pytest.mark.parametrize("storage", ["fs", "memory", "s3"], indirect=True)


@pytest.fixture
def op(storage):
    with storage.operator.blocking() as op:
        yield op


@STORAGES
def test_a_reader_has_the_verbs_of_the_awaited_one(op):
    op.write("a", CONTENT)
    with op.reader("a", range=(100, 2000)) as reader:
        buffer = bytearray(50)
        assert (reader.readinto(buffer), bytes(buffer)) == (50, CONTENT[100:150])
        assert (reader.read(10), reader.readexactly(10), reader.tell()) == (CONTENT[150:160], CONTENT[160:170], 70)
        assert (reader.seek(-10, os.SEEK_END), reader.read(), reader.next()) == (1890, CONTENT[1990:2000], None)
        assert (reader.size(), reader.metadata().content_length) == (1900, len(CONTENT))
        assert reader.fetch(iter([(0, 3), (1000, 1003)])) == [CONTENT[100:103], CONTENT[1100:1103]]
        assert (reader.seek(1898), 1 <= len(reader.read1(10)) <= 2) == (1898, True)
        assert repr(reader).startswith("<BlockingReader ")
        with pytest.raises(ContentIncomplete) as raised:
            reader.readexactly(10_000)
        assert (raised.value.kind, raised.value.operation, raised.value.path) == (
            "ContentIncomplete",
            "reader.readexactly",
            "a",
        )
    assert reader.closed
    reader.close()
    with pytest.raises(InvalidInput, match="the reader is closed") as raised:
        reader.read1()
    assert (raised.value.operation, raised.value.path) == ("reader.receive", "a")


@STORAGES
def test_iterating_gives_chunks_and_a_broken_off_loop_can_be_gone_on_with(op):
    op.write("a", CONTENT)
    reader = op.reader("a", chunk=10_000)
    for chunk in reader:
        assert chunk == CONTENT[:10_000]
        break
    assert b"".join(reader) == CONTENT[10_000:]
    assert list(reader) == []
    reader.close()
    assert b"".join(op.reader_with("a").chunk(999).concurrent(3)) == CONTENT


@STORAGES
def test_archives_are_read_and_written_in_place(op):
    with op.writer("a.zip") as writer, zipfile.ZipFile(writer, "w") as archive:
        archive.writestr("inner", CONTENT)
        archive.writestr("other", b"other")
    with op.reader("a.zip") as reader, zipfile.ZipFile(reader) as archive:
        assert (archive.namelist(), archive.read("inner")) == (["inner", "other"], CONTENT)
    with op.writer("a.tar") as writer, tarfile.open(fileobj=writer, mode="w:gz") as archive:
        member = tarfile.TarInfo("inner")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    with op.reader("a.tar") as reader, tarfile.open(fileobj=reader, mode="r:gz") as archive:
        assert archive.extractfile("inner").read() == CONTENT


@STORAGES
def test_lines_are_read_through_a_buffer(op):
    op.write("a", b"one\ntwo\n\nfour")
    with op.reader("a") as reader, io.TextIOWrapper(io.BufferedReader(reader, 5)) as lines:
        assert list(lines) == ["one\n", "two\n", "\n", "four"]
    assert reader.closed


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_what_a_file_can_do_is_said(op):
    op.write("a", b"content")
    with op.reader("a") as reader:
        assert (reader.readable(), reader.writable(), reader.seekable(), reader.closed) == (True, False, True, False)
        assert (reader.read1(), reader.read1(), reader.flush()) == (b"content", b"", None)
        with pytest.raises(io.UnsupportedOperation):
            reader.truncate(0)
        with pytest.raises(Unsupported):
            reader.truncate()
    with op.reader("a") as reader:
        assert (reader.read(None), reader.seek(0), reader.read1(-1), reader.read1(-1)) == (
            b"content",
            0,
            b"content",
            b"",
        )
    with op.writer("b") as writer:
        assert (writer.readable(), writer.writable(), writer.seekable(), writer.closed) == (False, True, False, False)
    assert writer.closed


@STORAGES
def test_a_writer_publishes_at_its_end(op):
    with op.writer("a") as writer:
        writer.write(b"con")
        buffer = bytearray(b"tent")
        writer.write(buffer)
        buffer[:] = b"xxxx"
        assert (writer.tell(), op.exists("a")) == (7, False)
    assert op.read("a") == b"content"
    assert writer.close().content_length == 7
    assert repr(writer).startswith("<BlockingWriter ")


@STORAGES
def test_a_writer_says_how_much_it_took_so_that_it_can_be_buffered(op):
    with op.writer("a") as writer:
        assert [writer.write(memoryview(b"abcd").cast("H")), writer.write(b"")] == [4, 0]
        buffered = io.BufferedWriter(writer, 8)
        assert (buffered.write(b"x" * 20), buffered.write(b"y")) == (20, 1)
        buffered.flush()
        buffered.detach()
    assert op.read("a") == b"abcd" + b"x" * 20 + b"y"


@STORAGES
def test_a_writer_left_by_an_exception_leaves_nothing(op):
    with pytest.raises(ZeroDivisionError), op.writer("a", chunk=5 << 20) as writer:
        writer.write(bytes(6 << 20))
        writer.write(bytes(1 // 0))
    aborted = op.writer_with("a").run()
    aborted.write(b"content")
    aborted.abort()
    assert [entry.path for entry in op.list("/", recursive=True)] in (["/"], [])


@STORAGES
def test_the_exception_of_an_iterator_passes_and_it_is_closed(op):
    ended = []

    def pieces():
        try:
            yield b"content"
            raise ZeroDivisionError
        finally:
            ended.append(True)

    with pytest.raises(ZeroDivisionError) as raised:
        op.write("a", pieces())
    assert (ended, op.exists("a")) == ([True], False)
    assert "pieces" in [entry.name for entry in raised.traceback]


@STORAGES
def test_an_iterator_may_itself_make_blocking_calls(op):
    op.write("a", CONTENT)
    op.write("b", op.reader("a", chunk=10_000))
    assert op.read("b") == CONTENT
    op.write("c", (op.read("a", range=(start, start + 10)) for start in range(0, 100, 10)))
    assert op.read("c") == CONTENT[:100]
    op.delete_many(entry for entry in op.lister("/") if entry.path in {"a", "c"})
    assert [entry.path for entry in op.list("/") if entry.metadata.is_file] == ["b"]


@STORAGES
def test_a_lister_gives_each_entry_once_however_it_is_asked(op):
    names = {f"d/{number}" for number in range(7)}
    for name in names:
        op.write(name, b"x")
    with op.lister("d/", limit=3) as lister:
        got = [lister.next()]
        for entry in lister:
            got.append(entry)
            if len(got) == 3:
                break
        got += lister.next_page()
        got += lister
        assert (lister.next(), lister.next_page()) == (None, None)
        assert repr(lister).startswith("<BlockingLister ")
    assert {entry.path for entry in got} - {"d/"} == names
    assert len({entry.path for entry in got}) == len(got)
    assert {entry.path for entry in op.lister_with("d/").recursive()} >= names


@STORAGES
def test_a_closed_lister_gives_nothing_of_the_page_at_hand(op):
    for name in "abc":
        op.write(name, b"x")
    lister = op.lister("/")
    assert lister.next() is not None
    lister.close()
    lister.close()
    for operation, call in {"lister.next": lister.next, "lister.next_page": lister.next_page}.items():
        with pytest.raises(InvalidInput, match="the lister is closed") as raised:
            call()
        assert (raised.value.kind, raised.value.operation, raised.value.path) == ("InvalidInput", operation, "/")


@STORAGES
def test_what_is_dropped_half_read_says_nothing(op, recwarn):
    op.write("a", CONTENT * 20)
    for _ in range(3):
        for _ in op.reader("a"):
            break
        for _ in op.reader_with("a").chunk(1000).concurrent(4):
            break
        next(iter(op.lister("/", limit=1)))
    gc.collect()
    assert [str(one.message) for one in recwarn] == []
    assert op.read("a", range=(0, 5)) == CONTENT[:5]


@STORAGES
def test_a_reader_or_lister_that_is_dropped_midway_warns_and_names_its_path(op):
    op.write("d/a", CONTENT)
    reader, lister = op.reader("d/a"), op.lister("d/")
    reader.read(10)
    lister.next()
    with pytest.warns(ResourceWarning, match="was not closed") as caught:
        del reader, lister
        gc.collect()
    messages = sorted(str(one.message) for one in caught)
    assert [message.split()[0] for message in messages] == ["<Lister", "<Reader"]
    assert "'d/'" in messages[0] and "'d/a'" in messages[1]


@STORAGES
def test_those_that_hold_nothing_do_not_warn(op):
    op.write("d/a", CONTENT)
    op.write("d/b", CONTENT)
    unused, ended, left = op.reader("d/a"), op.reader("d/a"), op.reader("d/a")
    assert ended.read() == CONTENT
    for _ in left:
        break
    for _ in op.reader("d/a"):
        break
    lister = op.lister("d/")
    for _ in lister:
        break
    for _ in op.lister("d/"):
        break
    listed = op.lister("d/")
    assert {entry.path for entry in listed} >= {"d/a", "d/b"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del unused, ended, left, lister, listed
        gc.collect()


@STORAGES
def test_a_lister_is_used_on_after_its_loop_was_left(op):
    for name in "abc":
        op.write(f"d/{name}", b"")
    with op.lister("d/", limit=1) as lister:
        first = next(iter(lister))
        assert [first.path, *(entry.path for entry in lister)] == [entry.path for entry in op.list("d/", limit=1)]


LOST = {
    "text": (io.TextIOWrapper, lambda file: file.write("1")),
    "buffer": (io.BufferedWriter, lambda file: file.write(b"1")),
    "gzip": (lambda writer: gzip.GzipFile(fileobj=writer, mode="wb"), lambda file: file.write(b"1")),
    "zip": (lambda writer: zipfile.ZipFile(writer, "w"), lambda file: file.writestr("a", b"1")),
}


@STORAGES
@pytest.mark.parametrize("is_in_cycle", [False, True])
@pytest.mark.parametrize("around", LOST)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_writer_that_is_lost_with_the_file_around_it_publishes_nothing(op, monkeypatch, around, is_in_cycle):
    """Python 3.13 reports errors of such files, earlier versions do with `-X dev`: ours has none."""
    failures = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: failures.append(unraisable.exc_value))
    wrap, write = LOST[around]
    file = wrap(op.writer("a"))
    write(file)
    holder = [file]
    if is_in_cycle:
        holder.append(holder)
    del file, holder
    gc.collect()
    assert (failures, op.exists("a")) == ([], False)


@STORAGES
def test_a_writer_that_is_held_has_what_lost_files_around_it_wrote(op):
    with op.writer("a") as writer:
        for content in ([1], [2]):
            with pytest.warns(ResourceWarning, match="unclosed file <_io.TextIOWrapper"):
                json.dump(content, io.TextIOWrapper(writer))
        assert (writer.closed, writer.tell()) == (False, 6)
        writer.write(b"3")
        with pytest.warns(ResourceWarning, match="unclosed file <_io.BufferedWriter"):
            io.BufferedWriter(writer).write(b"4")
    assert (op.read("a"), writer.closed, writer.close().content_length) == (b"[1][2]34", True, 8)

    writer = op.writer("a")
    with pytest.warns(ResourceWarning):
        json.dump([5], io.TextIOWrapper(writer))
    assert writer.close().content_length == 3
    assert op.read("a") == b"[5]"
    with pytest.raises(InvalidInput, match="the writer is closed"):
        writer.write(b"6")


@STORAGES
@pytest.mark.filterwarnings("error::ResourceWarning")
def test_a_file_that_is_held_has_what_lost_files_around_it_wrote(op):
    with op.open("a", "wb") as file:
        json.dump([1], io.TextIOWrapper(file))
        json.dump([2], io.TextIOWrapper(file))
        assert (file.closed, file.tell()) == (False, 6)
        file.write(b"3")
    assert op.read("a") == b"[1][2]3"
    with pytest.raises(ZeroDivisionError), op.open("b", "wb") as file:
        json.dump([1], io.TextIOWrapper(file))
        raise ZeroDivisionError
    assert not op.exists("b")


@STORAGES
def test_a_writer_that_is_aborted_publishes_nothing_of_lost_files(op):
    with pytest.raises(ZeroDivisionError), op.writer("a") as writer:
        with pytest.warns(ResourceWarning):
            json.dump([1], io.TextIOWrapper(writer))
        raise ZeroDivisionError
    writer = op.writer("a")
    with pytest.warns(ResourceWarning):
        json.dump([1], io.TextIOWrapper(writer))
    writer.abort()
    with pytest.raises(InvalidInput, match="the writer was aborted"):
        writer.close()
    assert not op.exists("a")


@STORAGES
def test_readers_in_cycles_with_files_around_them_say_nothing(op, monkeypatch):
    failures = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: failures.append(unraisable.exc_value))
    op.write("a", CONTENT)
    for open_file in (lambda: io.BufferedReader(op.reader("a")), lambda: op.open("a"), lambda: op.open("a", "rb")):
        holder = [open_file()]
        holder.append(holder)
        del holder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
    assert failures == []
