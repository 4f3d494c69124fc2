"""The surface without `await` as type checkers see it. Never run: `make check` has mypy and basedpyright read it."""

import csv
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import IO, Any, assert_type

from entrepot import BlockingOperator, Capability, Entry, Metadata, Operator
from entrepot.blocking import BlockingLister, BlockingReader, BlockingWriter
from entrepot.blocking.calls import ListerCall, ReadCall, ReaderCall, StatCall, WriteCall
from entrepot.layers import ErrorContextLayer
from entrepot.services import Memory


def made() -> None:
    op = Operator(Memory()).blocking()
    assert_type(op, BlockingOperator)
    assert_type(op.layer(ErrorContextLayer()), BlockingOperator)
    assert_type(op.info.capability, Capability)
    with op as same:
        assert_type(same, BlockingOperator)


def operations(op: BlockingOperator, pieces: Iterator[bytes]) -> None:
    assert_type(op.read("a", range=(0, 8), if_match='"e"'), bytes)
    assert_type(op.read_with("a").range(0, 8), ReadCall)
    assert_type(op.read_with("a").range(0, 8).run(), bytes)
    assert_type(op.stat_with("a").version("v"), StatCall)
    assert_type(op.stat("a"), Metadata)
    assert_type(op.write("a", pieces, content_type="text/plain"), Metadata)
    assert_type(op.write("a", op.reader("b")), Metadata)
    assert_type(op.write_with("a", b"").append(), WriteCall)
    assert_type(op.list("a/", recursive=True), list[Entry])
    assert_type(op.delete_with("a").recursive().run(), None)
    assert_type(op.copy("a", "b", if_not_exists=True), Metadata)
    assert_type(op.exists("a"), bool)
    op.delete_many(op.lister("a/"), concurrent=2)
    assert_type(op.stat_many(op.lister("a/"), concurrent=2), list[Metadata | None])


def refused(op: BlockingOperator, stream: AsyncIterator[bytes]) -> None:
    op.read("a", rnage=(0, 8))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    op.write("a", "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    op.write("a", stream)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def opened(op: BlockingOperator) -> None:
    assert_type(op.reader("a", chunk=8), BlockingReader)
    assert_type(op.reader_with("a").chunk(8), ReaderCall)
    with op.reader_with("a").chunk(8) as reader:
        assert_type(reader, BlockingReader)
        assert_type(reader.read(), bytes)
        assert_type(reader.next(), bytes | None)
        assert_type(reader.fetch([(0, 8)]), list[bytes])
        assert_type(reader.fetch_views([(0, 8)]), list[memoryview])
        assert_type(io.BufferedReader(reader).read(), bytes)
        assert_type(zipfile.ZipFile(reader).namelist(), list[str])
    for chunk in op.reader_with("a"):
        assert_type(chunk, bytes)
    with op.writer("a") as writer:
        assert_type(writer, BlockingWriter)
        assert_type(writer.write(b""), int)
        assert_type(writer.close(), Metadata)
    assert_type(op.lister_with("a/").recursive(), ListerCall)
    assert_type(op.lister("a/"), BlockingLister)
    for entry in op.lister("a/"):
        assert_type(entry, Entry)
    assert_type(op.lister("a/").next_page(), Sequence[Entry] | None)


def files(op: BlockingOperator, mode: str) -> None:
    binary: IO[bytes] = op.open("a", "rb", range=(0, 8))
    text: IO[str] = op.open("a")
    written: IO[bytes] = op.open("a", "wb", content_type="text/plain")
    lines: IO[str] = op.open("a", "w", encoding="utf-8", newline="")
    raw: io.RawIOBase = op.open("a", "rb", 0)
    assert_type(op.open("a", mode), IO[Any])
    assert_type(op.open("a", "rb").read(), bytes)
    assert_type(op.open("a").readline(), str)
    assert_type(op.open("a", "w").write(""), int)
    buffered: io.BufferedReader = op.open("a", "rb")
    csv.writer(op.open("a", "w"))
    pickle.load(op.open("a", "rb"))
    assert_type(gzip.GzipFile(fileobj=op.open("a", "rb")), gzip.GzipFile)
    for file in (binary, text, written, lines, raw, buffered):
        file.close()


def archives(op: BlockingOperator) -> None:
    """As the documentation shows them."""
    with op.open("a", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b", b"")
    with op.open("a", "rb") as stored, zipfile.ZipFile(stored) as archive:
        assert_type(archive.read("b"), bytes)
    with op.open("a", "wb") as file, gzip.open(file, "wt") as text:
        json.dump([1], text)
    with op.open("a", "wb") as file, io.TextIOWrapper(file) as text:
        print("a", file=text)
    with op.open("a", "wb") as file, tarfile.open(fileobj=file, mode="w") as members:
        members.add("b")
    with op.open("a", "rb") as stored, tarfile.open(fileobj=stored) as members:
        assert_type(members.getnames(), list[str])
    with op.open("a", "w") as lines:
        print("a", file=lines)
        json.dump([1], lines)
    with op.open("a") as lines_again:
        assert_type(list(lines_again), list[str])


def no_files(op: BlockingOperator) -> None:
    op.open("a", "rb").write(b"", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    op.open("a", "r").write(b"")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def exits_are_not_swallowed(reader: BlockingReader) -> None:
    leave: Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], None] = reader.__exit__
    del leave
