"""The file system of pyarrow over entrepot."""

from __future__ import annotations

import gc
import gzip
import multiprocessing
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from entrepot import ConditionNotMatch, InvalidInput, Operator, Unsupported
from entrepot.layers import CapabilityOverrideLayer
from entrepot.raw import Context
from entrepot.services import Fs, Memory
from entrepot.testing import RecordingTransport, S3Server
from tests.conftest import s3_config

pyarrow = pytest.importorskip("pyarrow")

from pyarrow import dataset, parquet  # noqa: E402
from pyarrow.fs import FileSelector, FileType, PyFileSystem  # noqa: E402

from entrepot.integrations.pyarrow import EntrepotHandler, file_system  # noqa: E402


@pytest.fixture
def files(operator: Operator) -> PyFileSystem:
    return file_system(operator)


def write(files: PyFileSystem, path: str, content: bytes) -> None:
    with files.open_output_stream(path) as file:
        file.write(content)


def names(files: PyFileSystem, path: str, **options: Any) -> list[str]:
    return sorted(info.path for info in files.get_file_info(FileSelector(path, **options)))


def test_files_and_directories(files: PyFileSystem) -> None:
    write(files, "d/a", b"1")
    write(files, "d/e/b", b"22")
    found = files.get_file_info(["d/a", "d", "nowhere", "d/a/below"])
    assert [info.type for info in found] == [FileType.File, FileType.Directory, FileType.NotFound, FileType.NotFound]
    assert (found[0].size, found[0].mtime.tzinfo is not None) == (1, True)
    assert names(files, "d") == ["d/a", "d/e"]
    assert names(files, "", recursive=True) == ["d", "d/a", "d/e", "d/e/b"]
    assert names(files, "d", recursive=True) == ["d/a", "d/e", "d/e/b"]
    assert names(files, "nowhere", allow_not_found=True) == []
    with pytest.raises(FileNotFoundError):
        names(files, "nowhere")
    with pytest.raises(NotADirectoryError):
        names(files, "d/a")


def test_a_directory_with_a_name_that_no_path_can_have_is_not_moved(tmp_path: Path) -> None:
    """The file would not be listed, so not be copied, and be deleted with the directory."""
    name = os.fsencode(tmp_path / "a") + b"/\xff"
    (tmp_path / "a").mkdir()
    Path(os.fsdecode(name)).write_bytes(b"kept")
    with pytest.raises(Unsupported, match="cannot be in a path"):
        file_system(Operator(Fs(tmp_path))).move("a", "b")
    assert Path(os.fsdecode(name)).read_bytes() == b"kept"


@pytest.mark.parametrize("operator", ["memory", "fs", "moto"], indirect=True)
def test_moves_copies_and_deletions(files: PyFileSystem) -> None:
    write(files, "d/a", b"1")
    write(files, "d/e/b", b"22")
    files.copy_file("d/a", "c")
    files.move("d/a", "m")
    files.move("d", "n")
    for target in ("n", "n/new", "n/e"):  # the move would end with the deletion of what it has moved
        with pytest.raises(ValueError, match="into itself"):
            files.move("n", target)
    assert names(files, "", recursive=True) == ["c", "m", "n", "n/e", "n/e/b"]
    files.delete_file("c")
    files.delete_dir_contents("n")
    assert names(files, "", recursive=True) == ["m", "n"]
    files.delete_dir("n")
    with pytest.raises(FileNotFoundError) as missing:
        files.delete_file("c")
    assert "path='c'" in str(missing.value)  # and not the directory of this name, which was looked up after it
    with pytest.raises(FileNotFoundError):
        files.delete_dir("n")
    with pytest.raises(FileNotFoundError):
        files.delete_dir_contents("n")
    files.delete_dir_contents("n", missing_dir_ok=True)
    files.create_dir("x/y")
    with pytest.raises(FileNotFoundError):
        files.create_dir("no/parent", recursive=False)
    with pytest.raises(IsADirectoryError):
        files.delete_file("x")
    files.delete_dir_contents("", accept_root_dir=True)
    assert names(files, "") == []


@pytest.mark.parametrize("operator", ["memory", "fs", "moto"], indirect=True)
def test_a_move_of_a_directory_loses_nothing(files: PyFileSystem) -> None:
    for path in ("d/1", "d/e/2", "d/e/e/2", "x/2"):
        write(files, path, path.encode())
    files.create_dir("empty")
    before = names(files, "", recursive=True)
    for source, target in (("d/e", "d"), ("d", "x"), ("d", "")):
        with pytest.raises(FileExistsError, match="not empty"):
            files.move(source, target)
    assert names(files, "", recursive=True) == before
    files.move("d", "empty")
    assert names(files, "empty", recursive=True) == ["empty/1", "empty/e", "empty/e/2", "empty/e/e", "empty/e/e/2"]
    assert "d" not in names(files, "")


def test_a_move_of_a_directory_leaves_what_another_program_adds() -> None:
    operator = Operator(Memory())

    class Adds(EntrepotHandler):
        def _move_file(self, source: str, target: str) -> None:
            operator.blocking().write("d/late", b"")
            super()._move_file(source, target)

    operator.blocking().write("d/1", b"1")
    files = PyFileSystem(Adds(operator))
    files.move("d", "y")
    assert names(files, "", recursive=True) == ["d", "d/late", "y", "y/1"]


def test_a_move_leaves_a_file_where_it_is_that_another_program_changes() -> None:
    operator = Operator(Memory()).layer(CapabilityOverrideLayer(rename=False))

    class Changes(EntrepotHandler):
        def copy_file(self, src: str, dest: str) -> None:
            super().copy_file(src, dest)
            operator.blocking().write(src, b"late")

    operator.blocking().write("1", b"1")
    with pytest.raises(ConditionNotMatch, match="changed after it was copied"):
        PyFileSystem(Changes(operator)).move("1", "2")
    assert [operator.blocking().read(path) for path in "12"] == [b"late", b"1"]


def test_streams(files: PyFileSystem) -> None:
    content = bytes(range(256)) * 1000
    write(files, "a", content)
    with files.open_input_stream("a") as file:
        assert file.read(3) + file.read() == content
    with files.open_input_file("a") as file:
        assert (file.size(), file.read_at(5, 250_000)) == (len(content), content[250_000:250_005])
        file.seek(10)
        assert (file.read(2), file.tell()) == (content[10:12], 12)
        assert file.read() == content[12:]
        for offset, whence in ((-1, 0), (-1 - len(content), 2)):
            with pytest.raises(ValueError, match="before the start"):
                file.seek(offset, whence)
        assert file.tell() == len(content)
    for opening in (files.open_input_stream, files.open_input_file):
        with pytest.raises(FileNotFoundError):
            opening("nowhere")


def test_append_and_headers(tmp_path: Path) -> None:
    operator = Operator(Memory())
    files = file_system(operator)
    metadata = {"Content-Type": "text/plain", "colour": "red"}
    for content in (b"1", b"2"):
        with files.open_append_stream("a", metadata=metadata) as file:
            file.write(content)
    found = operator.blocking().stat("a")
    assert (found.content_type, found.user_metadata, found.content_length) == ("text/plain", {"colour": "red"}, 2)


def test_parquet_and_datasets(files: PyFileSystem) -> None:
    table = pyarrow.table({"number": [1, 2, 3], "name": ["one", "two", "three"]})
    parquet.write_table(table, "a.parquet", filesystem=files)
    assert parquet.read_table("a.parquet", filesystem=files).equals(table)
    options = {"format": "parquet", "partitioning": ["name"], "partitioning_flavor": "hive"}
    for _ in range(2):
        dataset.write_dataset(table, "many", filesystem=files, existing_data_behavior="delete_matching", **options)
    found = dataset.dataset("many", filesystem=files, format="parquet", partitioning="hive").to_table()
    assert sorted(found["number"].to_pylist()) == [1, 2, 3]


def test_a_failed_block_publishes_nothing() -> None:
    files = file_system(Operator(Memory()))
    schema = pyarrow.schema([("number", pyarrow.int64())])
    with pytest.raises(ZeroDivisionError), parquet.ParquetWriter("a", schema, filesystem=files) as writer:
        writer.write_table(pyarrow.table({"number": [1]}))
        raise ZeroDivisionError
    for compression in (None, "gzip"):
        with pytest.raises(ZeroDivisionError), files.open_output_stream("a", compression=compression) as stream:
            stream.write(b"half")
            raise ZeroDivisionError
    assert names(files, "") == []
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        parquet.write_table(pyarrow.table({"number": [1]}), "about the error", filesystem=files)
    assert names(files, "") == ["about the error"]


def test_a_column_costs_little_more_than_itself(seaweedfs_server: S3Server) -> None:
    numpy = pytest.importorskip("numpy")
    transport = RecordingTransport()
    files = file_system(Operator(s3_config(seaweedfs_server), context=Context(http=transport)))
    columns = {f"c{number}": numpy.random.default_rng(number).random(50_000) for number in range(8)}
    parquet.write_table(pyarrow.table(columns), "a", filesystem=files, compression="none", use_dictionary=False)
    transport.forget()
    assert parquet.read_table("a", filesystem=files, columns=["c3"]).num_rows == 50_000
    assert transport.bytes_received < 1.2 * 400_000
    assert len(transport.requests) < 8


def test_identity(tmp_path: Path) -> None:
    files = file_system(Operator(Fs(tmp_path)))
    assert pickle.loads(pickle.dumps(files)) == files == file_system(Operator(Fs(tmp_path)))
    assert files != file_system(Operator(Fs("/")))
    assert (files.type_name, files.normalize_path("/a/b/")) == ("py::entrepot+fs", "a/b")
    assert repr(EntrepotHandler(Operator(Memory()))).startswith("EntrepotHandler(Operator(Memory(")
    with pytest.raises(InvalidInput, match="made from an Operator, not str"):
        file_system("s3")


def _rows(files: PyFileSystem) -> int:
    return parquet.read_table("a", filesystem=files).num_rows


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes(tmp_path: Path, method: str) -> None:
    files = file_system(Operator(Fs(tmp_path)))
    parquet.write_table(pyarrow.table({"number": [1, 2]}), "a", filesystem=files)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_rows, (files,)) == 2


def test_a_stream_that_is_collected_before_it_was_closed_publishes_nothing() -> None:
    operator = Operator(Memory())
    stream = file_system(operator).open_output_stream("a")
    stream.write(b"half")
    with pytest.warns(ResourceWarning, match="neither closed nor aborted"):
        del stream
        gc.collect()
    assert not operator.blocking().exists("a")


def test_pyarrow_closes_a_compressing_stream_that_is_collected() -> None:
    """In C++, where nothing tells it from `close`: the object is published, as docs/integrations.md says."""
    operator = Operator(Memory())
    stream = file_system(operator).open_output_stream("a", compression="gzip")
    stream.write(b"half")
    del stream
    gc.collect()
    assert gzip.decompress(operator.blocking().read("a")) == b"half"
