"""zarr, fsspec and pyarrow over S3: by entrepot's adapter and by the adapters that its peers have.

    python -m benchmarks.integrations [--rounds 3] [--quick]

Needs `pip install -e '.[bench]'`. One SeaweedFS holds the objects, in a process of its own. The adapters take turns in
one process, each over objects of its own, and the least of the rounds counts: the time, and the processor time of this
process with all of its threads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from entrepot import Operator, testing
from entrepot.integrations.fsspec import file_system_class
from entrepot.integrations.pyarrow import file_system
from entrepot.integrations.zarr import EntrepotStore
from entrepot.services import S3

OURS: Final = "entrepot"
Work = Callable[[], object]
Figures = dict[str, dict[str, tuple[float, float]]]
"""Of each work and adapter: seconds, and seconds of processor time."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Arguments:
        side: the side of the square zarr array, which is stored in chunks of 50 by 50 numbers of 8 bytes.
        small: the number of objects of 4 KiB.
        large: the size of the large object, in bytes.
        rows: the number of rows of the Parquet file, which has ten columns of 8 bytes.
    """

    side: int
    small: int
    large: int
    rows: int


FULL: Final = Scale(1000, 300, 32 << 20, 400_000)
QUICK: Final = Scale(200, 30, 2 << 20, 20_000)


@dataclass(slots=True)
class Store:
    """One bucket, as each library is told about it."""

    server: testing.SeaweedFS

    def operator(self, root: str) -> Operator:
        server = self.server
        return Operator(
            S3(
                bucket=server.bucket,
                root=root,
                endpoint=server.endpoint,
                region=server.region,
                access_key_id=server.access_key_id,
                secret_access_key=server.secret_access_key,
            )
        )

    def obstore(self, root: str) -> Any:
        from obstore.store import S3Store

        server = self.server
        return S3Store(
            server.bucket,
            prefix=root,
            endpoint=server.endpoint,
            region=server.region,
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
            client_options={"allow_http": True},
        )

    def s3fs(self, kind: Any = None, *, asynchronous: bool = False) -> Any:
        """A file system of s3fs, or of another class with the same arguments."""
        import s3fs

        server = self.server
        return (kind or s3fs.S3FileSystem)(
            key=server.access_key_id,
            secret=server.secret_access_key,
            client_kwargs={"endpoint_url": server.endpoint, "region_name": server.region},
            asynchronous=asynchronous,
            skip_instance_cache=True,
        )

    def pyarrow(self) -> Any:
        from pyarrow.fs import S3FileSystem

        server = self.server
        return S3FileSystem(
            access_key=server.access_key_id,
            secret_key=server.secret_access_key,
            endpoint_override=server.endpoint.partition("://")[2],
            scheme="http",
            region=server.region,
        )


def zarr_works(store: Store, scale: Scale) -> Iterator[tuple[str, str, Work]]:
    """Works on an array: what is measured, the adapter, and the work."""
    from zarr.storage import FsspecStore, ObjectStore

    numbers = np.random.default_rng(0).random((scale.side, scale.side))
    stores = {
        OURS: EntrepotStore(store.operator("zarr-entrepot")),
        "obstore": ObjectStore(store.obstore("zarr-obstore")),
        "s3fs": FsspecStore(store.s3fs(asynchronous=True), path=f"{store.server.bucket}/zarr-s3fs"),
    }
    chunks = (scale.side // 50) ** 2

    def write(over: Any) -> None:
        array = zarr.create_array(
            over, shape=numbers.shape, chunks=(50, 50), dtype="f8", overwrite=True, compressors=None
        )
        array[:] = numbers

    def read(over: Any) -> None:
        if not (zarr.open_array(over, mode="r")[:] == numbers).all():
            raise AssertionError("the array that was read is another one")

    for adapter, over in stores.items():
        yield f"zarr: {chunks} chunks written", adapter, lambda over=over: write(over)
        yield f"zarr: {chunks} chunks read", adapter, lambda over=over: read(over)


def fsspec_works(store: Store, scale: Scale) -> Iterator[tuple[str, str, Work]]:
    """Works on files of fsspec."""
    systems = {OURS: store.s3fs(file_system_class("s3")), "s3fs": store.s3fs()}
    content = np.random.default_rng(1).bytes(scale.large)
    for adapter, files in systems.items():
        base = f"{store.server.bucket}/fsspec-{adapter}"
        names = [f"{base}/small/{number}" for number in range(scale.small)]
        starts = [number * (scale.large // 500) for number in range(500)]
        large = f"{base}/large"

        def ranges(files: Any = files, large: str = large, starts: list[int] = starts) -> None:
            files.cat_ranges([large] * len(starts), starts, [start + 500 for start in starts])

        def stream(files: Any = files, large: str = large) -> None:
            with files.open(large) as file:
                while file.read(65_536):
                    pass

        def seek(files: Any = files, large: str = large) -> None:
            with files.open(large) as file:
                for number in range(100):
                    file.seek(number * 7_919_000 % scale.large)
                    file.read(1000)

        yield (
            f"fsspec: {scale.small} files of 4 KiB piped",
            adapter,
            lambda f=files, n=names: f.pipe(dict.fromkeys(n, bytes(4096))),
        )
        yield f"fsspec: {scale.small} files of 4 KiB read by cat", adapter, lambda f=files, n=names: f.cat(n)
        yield f"fsspec: find of {scale.small} files", adapter, lambda f=files, b=base: f.find(f"{b}/small")
        yield f"fsspec: {_mib(scale.large)} piped", adapter, lambda f=files, p=large: f.pipe_file(p, content)
        yield f"fsspec: {_mib(scale.large)} read by cat", adapter, lambda f=files, p=large: f.cat_file(p)
        yield f"fsspec: {_mib(scale.large)} read from open(), 64 KiB each", adapter, stream
        yield "fsspec: 500 ranges of one file", adapter, ranges
        yield "fsspec: 100 random reads of one open file", adapter, seek


def pyarrow_works(store: Store, scale: Scale) -> Iterator[tuple[str, str, Work]]:
    """Works on a Parquet file."""
    columns = {f"c{number}": np.random.default_rng(number).random(scale.rows) for number in range(10)}
    table = pa.table(columns)
    bucket = store.server.bucket
    systems = {
        OURS: (file_system(store.operator("/")), "parquet-entrepot"),
        "pyarrow": (store.pyarrow(), f"{bucket}/parquet-pyarrow"),
        "s3fs": (store.s3fs(), f"{bucket}/parquet-s3fs"),
    }
    size = _mib(80 * scale.rows)
    for adapter, (files, path) in systems.items():

        def write(files: Any = files, path: str = path) -> None:
            pq.write_table(table, path, filesystem=files, compression="none", use_dictionary=False)

        def read(files: Any = files, path: str = path, chosen: list[str] | None = None) -> None:
            pq.read_table(path, filesystem=files, columns=chosen)

        yield f"Parquet: {size} written", adapter, write
        yield f"Parquet: {size} read", adapter, read
        yield "Parquet: one of ten columns read", adapter, lambda read=read: read(chosen=["c3"])


def measured(works: list[tuple[str, str, Work]], rounds: int) -> Figures:
    """The least time and processor time of each work, over rounds in which the adapters take turns."""
    figures: Figures = {}
    for _ in range(rounds):
        for name, adapter, work in works:
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            found = time.perf_counter() - wall, time.process_time() - cpu
            least = figures.setdefault(name, {}).get(adapter, found)
            figures[name][adapter] = min(least[0], found[0]), min(least[1], found[1])
    return figures


def table(figures: Figures) -> str:
    """The figures as Markdown, with how many times the best other adapter takes."""
    lines = [
        "| Work | entrepot, ms (CPU) | the others, ms (CPU) | time of the best one in entrepot's | its CPU |",
        "|---|---|---|---|---|",
    ]
    for name, found in figures.items():
        ours = found[OURS]
        others = {adapter: each for adapter, each in found.items() if adapter != OURS}
        ratios = (f"{min(each[part] for each in others.values()) / ours[part]:.2f}" for part in (0, 1))
        listed = ", ".join(f"{adapter} {_shown(each)}" for adapter, each in others.items())
        lines.append(f"| {name} | {_shown(ours)} | {listed} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def _shown(figures: tuple[float, float]) -> str:
    return f"{figures[0] * 1000:.0f} ({figures[1] * 1000:.0f})"


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.integrations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often; the least counts")
    parser.add_argument("--quick", action="store_true", help="a small part of it")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    warnings.simplefilter("ignore", UserWarning)  # zarr's, about the stability of its own classes
    with tempfile.TemporaryDirectory() as folder, testing.seaweedfs(Path(folder)) as server:
        store = Store(server)
        for works in (zarr_works, fsspec_works, pyarrow_works):
            print(table(measured(list(works(store, scale)), arguments.rounds)), flush=True)
            print()


if __name__ == "__main__":
    main()
