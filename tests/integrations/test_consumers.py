"""Programs that reach storage by fsspec, as their users run them.

pandas, pyarrow and universal_pathlib come with the extra `test`, the others with the extra `consumers`.
"""

from __future__ import annotations

import pickle
import posixpath
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.integrations.fsspec import EntrepotFileSystem, file_system_class
from entrepot.services import Fs
from entrepot.testing import S3Server
from tests.behavior.targets import new_root

pandas = pytest.importorskip("pandas")

ROWS = {"number": [1, 2, 3], "name": ["one", "two", "three"]}


@pytest.fixture
def options(seaweedfs_server: S3Server) -> dict[str, str]:
    return {
        "endpoint": seaweedfs_server.endpoint,
        "region": seaweedfs_server.region,
        "access_key_id": seaweedfs_server.access_key_id,
        "secret_access_key": seaweedfs_server.secret_access_key,
    }


@pytest.fixture
def fs(options: dict[str, str]) -> EntrepotFileSystem:
    return file_system_class("s3")(**options)


@pytest.fixture
def folder(seaweedfs_server: S3Server) -> str:
    return f"{seaweedfs_server.bucket}/{new_root()}"


@pytest.fixture
def frame() -> pandas.DataFrame:
    return pandas.DataFrame(ROWS)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "json", "parquet", "pickle"])
def test_pandas(frame: pandas.DataFrame, folder: str, options: dict[str, str], form: str) -> None:
    url, kind = f"entrepot+s3://{folder}/a.{form}", form.partition(".")[0]
    keywords = {"index": False} if kind == "csv" else {}
    getattr(frame, f"to_{kind}")(url, storage_options=options, **keywords)
    pandas.testing.assert_frame_equal(getattr(pandas, f"read_{kind}")(url, storage_options=options), frame)


def test_a_failed_write_of_pandas_publishes_nothing(tmp_path: Path) -> None:
    class Refuses:
        def __str__(self) -> str:
            raise ZeroDivisionError

    frame = pandas.DataFrame({"a": ["fine"] * 10 + [Refuses()]})
    with pytest.raises(ZeroDivisionError):
        frame.to_csv(f"entrepot+fs://{tmp_path}/a.csv")
    assert [*tmp_path.iterdir()] == []


def test_pyarrow_takes_the_file_system(frame: pandas.DataFrame, folder: str, fs: EntrepotFileSystem) -> None:
    parquet, dataset = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow.dataset")
    table = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    parquet.write_table(table, f"{folder}/one.parquet", filesystem=fs)
    assert parquet.read_table(f"{folder}/one.parquet", filesystem=fs).equals(table)
    dataset.write_dataset(
        table, f"{folder}/many", filesystem=fs, format="parquet", partitioning=["name"], partitioning_flavor="hive"
    )
    found = dataset.dataset(f"{folder}/many", filesystem=fs, format="parquet", partitioning="hive")
    assert sorted(found.to_table()["number"].to_pylist()) == [1, 2, 3]


def test_a_column_of_parquet_costs_little_more_than_itself(tmp_path: Path) -> None:
    """The row groups hold 8 columns; one of them is read."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    numpy = pytest.importorskip("numpy")
    columns = {f"c{number}": numpy.random.default_rng(number).random(100_000) for number in range(8)}
    fs = EntrepotFileSystem(Operator(Fs(tmp_path)))
    parquet.write_table(pyarrow.table(columns), "a.parquet", filesystem=fs, compression="none", use_dictionary=False)
    with fs.open("a.parquet") as file:
        parquet.ParquetFile(file).read(columns=["c3"])
        assert file.cache.total_requested_bytes < 1.1 * 800_000


def test_universal_pathlib(folder: str, options: dict[str, str]) -> None:
    upath = pytest.importorskip("upath")
    root = upath.UPath(f"entrepot+s3://{folder}", **options)
    path = root / "a" / "b.txt"
    path.write_text("content")
    assert (path.read_text(), path.name, path.suffix, path.stat().st_size) == ("content", "b.txt", ".txt", 7)
    assert [str(entry) for entry in (root / "a").iterdir()] == [f"entrepot+s3://{folder}/a/b.txt"]
    assert [entry.name for entry in root.rglob("*.txt")] == ["b.txt"]
    assert path.stat().st_mtime > 1_700_000_000
    with path.open("rb") as file:
        assert file.read(3) == b"con"
    path.unlink()
    assert not path.exists()


def test_universal_pathlib_on_local_storage(tmp_path: Path) -> None:
    upath = pytest.importorskip("upath")
    path = upath.UPath(f"entrepot+fs://{tmp_path}") / "a" / ".." / "b.txt"
    path.write_bytes(b"1")
    assert (tmp_path / "b.txt").read_bytes() == b"1"
    for existing in (path, path.parent):
        existing.touch()
    assert (tmp_path / "b.txt").read_bytes() == b"1"
    assert upath.UPath(f"entrepot+fs://{tmp_path}/b.txt").parent.joinpath("b.txt").read_bytes() == b"1"
    assert pickle.loads(pickle.dumps(path)) == path
    memory = upath.UPath("entrepot+memory://upath/c")
    memory.write_text("2")
    assert [entry.path for entry in memory.parent.iterdir()] == ["/upath/c"]
    memory.unlink()


def test_zarr_by_its_store_for_fsspec(folder: str, options: dict[str, str]) -> None:
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.FsspecStore.from_url(f"entrepot+s3://{folder}/a.zarr", storage_options=options)
    array = zarr.create_array(store=store, shape=(100,), chunks=(10,), dtype="i4")
    array[:] = range(100)
    assert zarr.open_array(store=store, mode="r")[17:23].tolist() == [*range(17, 23)]


def test_polars(frame: pandas.DataFrame, folder: str, fs: EntrepotFileSystem) -> None:
    polars = pytest.importorskip("polars")
    with fs.open(f"{folder}/a.parquet", "wb") as file:
        polars.from_pandas(frame).write_parquet(file)
    with fs.open(f"{folder}/a.parquet") as file:
        assert polars.scan_parquet(file).filter(polars.col("number") > 1).collect()["name"].to_list() == [
            "two",
            "three",
        ]


def test_duckdb(frame: pandas.DataFrame, folder: str, fs: EntrepotFileSystem) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        connection.execute(f"copy (select * from frame) to 'entrepot+s3://{folder}/a.parquet' (format parquet)")
        rows = connection.execute(f"select sum(number) from 'entrepot+s3://{folder}/*.parquet'").fetchall()
    assert rows == [(6,)]


def test_xarray_over_the_store_of_zarr(folder: str, options: dict[str, str]) -> None:
    xarray = pytest.importorskip("xarray")
    from entrepot.integrations.zarr import EntrepotStore

    store = EntrepotStore(Operator.from_uri(f"s3://{folder}", **options))
    xarray.Dataset({"a": ("x", [1.0, 2.0, 3.0])}).to_zarr(store, consolidated=False)
    with xarray.open_zarr(store, consolidated=False) as found:
        assert found.a.values.tolist() == [1.0, 2.0, 3.0]


DASK = """
import sys
import dask, dask.dataframe, pandas
if __name__ == "__main__":
    url, scheduler, *options = sys.argv[1:]
    options = dict(option.split("=", 1) for option in options)
    frame = dask.dataframe.from_pandas(pandas.DataFrame({"number": range(100)}), npartitions=2)
    with dask.config.set(scheduler=scheduler, num_workers=1):
        frame.to_csv(url + "/*.csv", storage_options=options, index=False)
        print(dask.dataframe.read_csv(url + "/*.csv", storage_options=options).number.sum().compute())
"""


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_dask(tmp_path: Path, folder: str, options: dict[str, str], scheduler: str) -> None:
    pytest.importorskip("dask.dataframe")
    script = tmp_path / "script.py"
    script.write_text(DASK)
    arguments = [f"entrepot+s3://{folder}/dask", scheduler, *(f"{name}={value}" for name, value in options.items())]
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=55)
    assert done.stdout.split() == ["4950"], done.stderr


@pytest.mark.filterwarnings("ignore::pandas.errors.PandasChangeWarning")  # of Dask's own use of pandas
def test_dask_and_parquet(folder: str, options: dict[str, str]) -> None:
    dataframe = pytest.importorskip("dask.dataframe")
    url = f"entrepot+s3://{folder}/dask"
    frame = dataframe.from_pandas(pandas.DataFrame({"number": range(100)}), npartitions=2)
    frame.to_parquet(url, storage_options=options)
    assert dataframe.read_parquet(url, storage_options=options).number.sum().compute() == 4950


def test_datasets_of_hugging_face(
    frame: pandas.DataFrame, folder: str, options: dict[str, str], fs: EntrepotFileSystem, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    fs.pipe(posixpath.join(folder, "a.csv"), frame.to_csv(index=False).encode())
    found = datasets.load_dataset(
        "csv",
        data_files=f"entrepot+s3://{folder}/*.csv",
        storage_options=options,
        cache_dir=str(tmp_path),
        split="train",
    )
    assert found["name"][:] == ROWS["name"]
