"""Workloads of random access, each a content and a function that uses a file over it. The benchmark has them too."""

import io
import random
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOB = random.Random(1).randbytes(8 << 20)


def parquet():
    numbers = np.random.default_rng(1)
    table = pa.table({f"column {i}": numbers.random(20_000) for i in range(20)})
    pq.write_table(table, buffer := io.BytesIO(), row_group_size=5000, compression="none", use_dictionary=False)
    return buffer.getvalue()


def archive(members, size):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        for i in range(members):
            file.writestr(f"folder/member {i:05}", bytes([i % 256]) * size)
    return buffer.getvalue()


def hdf5():
    with h5py.File(buffer := io.BytesIO(), "w") as file:
        for i in range(10):
            file.create_dataset(f"group {i}/data", data=np.random.default_rng(i).random(100_000))
    return buffer.getvalue()


def seek_storm(file):
    order = random.Random(2)
    for _ in range(200):
        position = order.randrange(len(BLOB) - 1000)
        file.seek(position)
        assert file.read(1000) == BLOB[position : position + 1000]


def read_column(file):
    assert pq.ParquetFile(file).read(columns=["column 7"]).num_rows == 20_000


def read_members(file):
    with zipfile.ZipFile(file) as opened:
        names = opened.namelist()
        random.Random(3).shuffle(names)
        for name in names:
            assert len(opened.read(name)) == 100_000


def read_dataset(file):
    with h5py.File(file, "r") as opened:
        assert opened["group 7/data"][...].shape == (100_000,)


def read_pieces(file):
    while file.read(10_000):
        pass


CASES = {
    "seek storm": (lambda: BLOB, seek_storm, 200),
    "Parquet column": (parquet, read_column, 8),
    "zip members": (lambda: archive(100, 100_000), read_members, 305),
    "HDF5 dataset": (hdf5, read_dataset, 15),
    "small pieces": (lambda: BLOB, read_pieces, 12),
}
"""By name: makes the content, uses a file, and the most requests that we take."""
