"""Libraries that take open files, on files of an S3 server: each writes, and reads what it wrote."""

import csv
import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from entrepot import NotFound
from tests.conftest import s3_config


def with_gzip(write, read):
    with write() as file, gzip.open(file, "wt") as text:
        text.write("line\n" * 10_000)
    with read() as file, gzip.open(file, "rt") as text:
        assert list(text) == ["line\n"] * 10_000


def with_zipfile(write, read):
    with write() as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "A" * 100_000)
        with archive.open("b", "w") as member:
            member.write(b"B")
    with read() as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert (archive.read("b"), len(archive.read("a"))) == (b"B", 100_000)


def with_tarfile(write, read):
    for mode in ("w:gz", "w", "w|"):
        with write() as file, tarfile.open(fileobj=file, mode=mode) as archive:
            member = tarfile.TarInfo("inner")
            member.size = 100_000
            archive.addfile(member, io.BytesIO(bytes(100_000)))
        with read() as file, tarfile.open(fileobj=file) as archive:
            assert archive.extractfile("inner").read() == bytes(100_000)


def with_pickle(write, read):
    with write() as file:
        pickle.dump({"a": list(range(10_000))}, file)
    with read() as file:
        assert pickle.load(file) == {"a": list(range(10_000))}


def with_json_and_csv(write, read):
    with write("w") as file:
        json.dump([1, "zwölf"], file, ensure_ascii=False)
    with read("r") as file:
        assert json.load(file) == [1, "zwölf"]
    rows = [["a", "b\nc"], ["1", "2"]]
    with write("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with read("r", newline="") as file:
        assert list(csv.reader(file)) == rows


def with_numpy(write, read):
    array = np.arange(100_000).reshape(100, 1000)
    with write() as file:
        np.save(file, array)
    with read() as file:
        assert (np.load(file) == array).all()
    for save in (np.savez, np.savez_compressed):
        with write() as file:
            save(file, array=array)
        with read() as file, np.load(file) as stored:
            assert (stored["array"] == array).all()
    with write("w") as file:
        np.savetxt(file, array[:3])
    with read("r") as file:
        assert (np.loadtxt(file) == array[:3]).all()


def with_pandas(write, read):
    frame = pd.DataFrame({"a": range(1000), "b": [str(i) for i in range(1000)]})
    for to, from_ in (
        (frame.to_parquet, pd.read_parquet),
        (frame.to_pickle, pd.read_pickle),
        (lambda file: frame.to_csv(file, index=False), lambda file: pd.read_csv(file, dtype={"b": str})),
        (lambda file: frame.to_json(file, orient="records"), lambda file: pd.read_json(file, dtype={"b": str})),
    ):
        with write() as file:
            to(file)
        with read() as file:
            assert from_(file).astype({"b": str}).equals(frame.astype({"b": str}))


def with_pyarrow(write, read):
    table = pa.table({"a": range(10_000)})
    with write() as file:
        pq.write_table(table, file)
    with read() as file:
        assert pq.read_table(file).equals(table)
    with write() as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with read() as file:
        assert pa.ipc.open_file(file).read_all().equals(table)


def with_pillow(write, read):
    for format_ in ("PNG", "JPEG", "BMP", "GIF"):
        with write() as file:
            Image.new("RGB", (300, 200), "red").save(file, format_)
        with read() as file, Image.open(file) as image:
            image.load()
            assert (image.size, image.format) == ((300, 200), format_)


def with_h5py(write, read):
    with h5py.File(buffer := io.BytesIO(), "w") as file:
        file["data"] = np.arange(100_000)
    with write() as file:
        file.write(buffer.getbuffer())
    with read() as file, h5py.File(file, "r") as stored:
        assert stored["data"][99_999] == 99_999


def with_soundfile(write, read):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed (extra `consumers`)")
    sound = np.sin(np.arange(44_100) / 50).astype("float32")
    for format_ in ("WAV", "FLAC"):
        soundfile.write(buffer := io.BytesIO(), sound, 44_100, format=format_)  # it seeks, to write its header last
        with write() as file:
            file.write(buffer.getbuffer())
        with read() as file, soundfile.SoundFile(file) as stored:
            stored.seek(40_000)
            assert np.allclose(stored.read(100), sound[40_000:40_100], atol=1e-4)


def with_torch(write, read):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `consumers`)")
    state = {"a": torch.arange(100_000.0), "b": torch.ones(3, 3)}
    for is_zip in (True, False):
        with write() as file:
            torch.save(state, file, _use_new_zipfile_serialization=is_zip)
        with read() as file:
            loaded = torch.load(file, weights_only=True)
        assert all(torch.equal(loaded[name], state[name]) for name in state)


CONSUMERS = [
    with_gzip,
    with_zipfile,
    with_tarfile,
    with_pickle,
    with_json_and_csv,
    with_numpy,
    with_pandas,
    with_pyarrow,
    with_pillow,
    with_h5py,
    with_soundfile,
    with_torch,
]


@pytest.fixture
def op(seaweedfs_server):
    from entrepot import Operator

    with Operator(s3_config(seaweedfs_server)).blocking() as op:
        yield op


@pytest.mark.parametrize("use", CONSUMERS)
def test_what_a_library_writes_it_reads_again(op, use):
    use(
        lambda mode="wb", **settings: op.open("file", mode, **settings),
        lambda mode="rb", **settings: op.open("file", mode, **settings),
    )


@pytest.mark.parametrize(
    ("fails", "kind"),
    [
        (lambda file: pd.DataFrame({"a": [object()]}).to_parquet(file), pa.ArrowInvalid),
        (lambda file: pickle.dump([1, lambda: 0], file), AttributeError),
        (lambda file: Image.new("RGB", (10, 10)).save(file, "no such format"), KeyError),
        (lambda file: json.dump([1, object()], io.TextIOWrapper(file, write_through=True)), TypeError),
    ],
)
def test_a_library_that_fails_publishes_nothing(op, fails, kind):
    with pytest.raises(kind), op.open("file", "wb") as file:
        fails(file)
    with pytest.raises(NotFound):
        op.stat("file")


LOADING = """
from torch.utils.data import DataLoader

class Objects:
    def __init__(self, op):
        self.op = op
        self.all = None
    def __len__(self):
        return 8
    def __getitem__(self, index):
        with self.op.open(str(index), "rb") as file:
            return file.read()[0]

class PartsOfOne(Objects):
    def __getitem__(self, index):
        self.all = self.all or self.op.open("all", "rb")
        self.all.seek(index * 1000)
        return self.all.read(1000)[999]

def load(objects, context):
    batches = DataLoader(objects, num_workers=2, multiprocessing_context=context)
    return [item for batch in batches for item in batch.tolist()]
"""
STARTING = """
import pickle, sys
from pathlib import Path
from loading import Objects, PartsOfOne, load

if __name__ == "__main__":
    op = pickle.loads(Path(sys.argv[1]).read_bytes())
    print(load(Objects(op), "fork"), load(PartsOfOne(op), "fork"), load(Objects(op), "forkserver"))
    inherited = PartsOfOne(op)
    inherited[0]  # opens the file before the fork
    print(load(inherited, "fork"))
"""


@pytest.mark.timeout(180)
def test_the_workers_of_a_data_loader_read(op, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (extra `consumers`)")
    for index in range(8):
        op.write(str(index), bytes([index]))
    op.write("all", b"".join(bytes([index]) * 1000 for index in range(8)))
    (tmp_path / "loading.py").write_text(LOADING)
    (tmp_path / "op").write_bytes(pickle.dumps(op))
    (tmp_path / "start.py").write_text(STARTING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "start.py"), str(tmp_path / "op")],
        env=environment, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert ended.stdout.split("\n")[:2] == [" ".join(3 * [str(list(range(8)))]), str(list(range(8)))], ended.stderr
