"""Trees over a cluster of processes: everything arrives once, whoever is killed, and the report has all of it."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from entrepot import AlreadyExists, ConfigInvalid, InvalidInput, NotFound, Operator, Timeout, Unexpected
from entrepot.layers import ChaosLayer
from entrepot.services import Fs
from tests.cli.running import run
from tests.conftest import s3_config

pytest.importorskip("distributed")

from distributed import Client, LocalCluster

from entrepot.integrations.dask import (
    ClusterReport,
    checksum_tree,
    copy_tree,
    delete_tree,
    list_tree,
    read_manifest,
    sync_tree,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.timeout(180),
]
SOAK = [pytest.mark.soak, pytest.mark.timeout(1800)]


def started(workers: int = 2) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with started() as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as connected:
        yield connected


def content_of(number: int) -> bytes:
    return Random(number).randbytes(number * 37 % 3_000)


def fill(root: Path, count: int) -> dict[str, bytes]:
    """Files in directories of different depth and size, one of which has half of all."""
    files = {}
    for number in range(count):
        directory = "flat" if number % 2 else f"d{number % 7}/e{number % 31}"
        files[f"{directory}/file ü {number:06}"] = content_of(number)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return files


def read_all(op: Operator, path: str = "/") -> dict[str, bytes]:
    """The content of all files of a tree, except the manifest."""
    blocking = op.blocking()
    prefix = path.lstrip("/")
    listed = [entry.path for entry in blocking.lister(path, recursive=True) if entry.is_file]
    wanted = [name for name in listed if not name[len(prefix) :].startswith(".entrepot/")]

    async def read() -> list[bytes]:
        limit = asyncio.Semaphore(16)

        async def one(name: str) -> bytes:
            async with limit:
                return await op.read(name)

        try:
            return await asyncio.gather(*map(one, wanted))
        finally:
            await op.close()

    return {name[len(prefix) :]: content for name, content in zip(wanted, asyncio.run(read()), strict=True)}


def assert_adds_up(report: ClusterReport, count: int) -> None:
    assert report.listed == count
    assert report.done + report.skipped + report.failed == report.listed


@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=SOAK)])
def test_small_objects_go_there_and_back(client, tmp_path, seaweedfs_server, count) -> None:
    files = fill(tmp_path / "here", count)
    here, back = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "back"))
    bucket = Operator(s3_config(seaweedfs_server))
    reports: list[ClusterReport] = []
    report = copy_tree(client, here, bucket, "/", "in/", keys=200, progress=reports.append)
    assert_adds_up(report, count)
    assert (report.done, report.size) == (count, sum(map(len, files.values())))
    assert reports[-1] == report
    assert_adds_up(copy_tree(client, bucket, back, "in/", "/", keys=200), count)
    assert read_all(back) == files
    assert {row.path for row in read_manifest(bucket.at("in/.entrepot/").blocking())} == set(files)
    again = copy_tree(client, here, bucket, "/", "in/", keys=200)
    assert (again.done, again.skipped) == (0, count)
    deleted = delete_tree(client, bucket, "in/")
    assert_adds_up(deleted, count)
    assert not bucket.blocking().list("in/", recursive=True)


def test_a_killed_worker_loses_nothing(tmp_path) -> None:
    files = fill(tmp_path / "here", 300)
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    slow = there.layer(ChaosLayer(seed=1, error_ratio=0, latency=0.02))
    killed: list[int] = []
    with started() as cluster, Client(cluster, set_as_default=False) as client:

        def kill(report: ClusterReport) -> None:
            if report.done > 50 * (1 + len(killed)) and len(killed) < 2:
                pids = client.run(os.getpid)
                killed.append(next(iter(pids.values())))
                os.kill(killed[-1], signal.SIGKILL)

        report = copy_tree(client, here, slow, keys=10, progress=kill)
    assert len(killed) == 2
    assert (report.done, report.failed) == (300, 0)
    assert_adds_up(report, 300)
    assert read_all(there) == files


PROGRAM = """
import sys
from distributed import Client
from entrepot import Operator
from entrepot.integrations.dask import copy_tree
from entrepot.layers import ChaosLayer
from entrepot.services import Fs
address, here, there = sys.argv[1:]
slow = Operator(Fs(there)).layer(ChaosLayer(seed=1, error_ratio=0, latency=0.02))
copy_tree(address, Operator(Fs(here)), slow, keys=20, progress=lambda report: print(report.done, flush=True))
"""


def test_a_killed_client_goes_on_where_it_was(cluster, client, tmp_path) -> None:
    files = fill(tmp_path / "here", 600)
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        cluster.scheduler_address,
        str(tmp_path / "here"),
        str(tmp_path / "there"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if int(line) > 150:
                program.kill()
                break
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    report = copy_tree(client, here, there, keys=20)
    assert_adds_up(report, 600)
    assert report.skipped >= 150
    assert report.done > 0
    assert read_all(there) == files
    assert not there.blocking().exists(".entrepot/lock")


@pytest.mark.parametrize(("size", "part"), [(64 << 20, 8 << 20), pytest.param(2 << 30, 64 << 20, marks=SOAK)])
def test_a_large_object_is_sent_by_all_workers(client, tmp_path, seaweedfs_server, size, part) -> None:
    (tmp_path / "here").mkdir()
    with (tmp_path / "here" / "large").open("wb") as file:
        for number in range(size >> 20):
            file.write(Random(number).randbytes(1 << 20))
    (tmp_path / "here" / "small").write_bytes(b"small")
    here, bucket = Operator(Fs(tmp_path / "here")), Operator(s3_config(seaweedfs_server))
    time.sleep(2.1)  # so that the etags of the files are strong

    def stop(report: ClusterReport) -> None:
        if report.tasks == 5:
            raise KeyboardInterrupt

    options = {"large": 16 << 20, "part": part}
    with pytest.raises(KeyboardInterrupt):
        copy_tree(client, here, bucket, progress=stop, **options)
    state = bucket.at(".entrepot/").blocking()
    sent = [entry.path for entry in state.list("large/", recursive=True) if entry.name[0].isdigit()]
    assert 2 <= len(sent) < size // part
    assert not bucket.blocking().exists("large")
    report = copy_tree(client, here, bucket, **options)
    assert_adds_up(report, 2)
    assert report.is_complete
    assert report.tasks <= 2 + size // part - len(sent)
    assert not [upload for upload in bucket.blocking().list_uploads() if upload.path == "large"]
    assert not state.list("large/", recursive=True)
    digests = [hashlib.sha256(), hashlib.sha256()]
    for operator, digest in zip((here, bucket), digests, strict=True):
        for piece in operator.blocking().reader("large", chunk=8 << 20):
            digest.update(piece)
    assert digests[0].digest() == digests[1].digest()
    again = copy_tree(client, here, bucket, **options)
    assert (again.skipped, again.done) == (2, 0)
    assert sync_tree(client, here, bucket, **options).skipped == 2
    bucket.blocking().write("large", b"damaged")
    assert sync_tree(client, here, bucket, compare="size", **options).done == 1
    assert bucket.blocking().stat("large").content_length == size
    assert not bucket.blocking().list_uploads()


def test_a_worker_killed_during_a_large_object_loses_nothing_and_leaves_no_parts(tmp_path, seaweedfs_server) -> None:
    size, part = 40 << 20, 5 << 20
    (tmp_path / "here").mkdir()
    content = b"".join(Random(number).randbytes(1 << 20) for number in range(size >> 20))
    (tmp_path / "here" / "large").write_bytes(content)
    bucket = Operator(s3_config(seaweedfs_server))
    slow = bucket.layer(ChaosLayer(seed=1, error_ratio=0, latency=0.2, operations=["shared_upload"]))
    killed: list[int] = []
    seen: list[bool] = []
    with started() as cluster, Client(cluster, set_as_default=False) as client:

        def kill(report: ClusterReport) -> None:
            if report.tasks >= 2 and not killed:
                seen.append(bucket.blocking().exists("large"))
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[-1], signal.SIGKILL)

        report = copy_tree(client, Operator(Fs(tmp_path / "here")), slow, progress=kill, large=8 << 20, part=part)
    assert (len(killed), seen) == (1, [False])
    assert (report.done, report.failed) == (1, 0)
    assert_adds_up(report, 1)
    assert read_all(bucket) == {"large": content}
    assert not bucket.blocking().list_uploads()
    assert not bucket.at(".entrepot/").blocking().list("large/", recursive=True)


def test_faults_are_tried_again(client, tmp_path, seaweedfs_server) -> None:
    files = fill(tmp_path / "here", 60)
    bucket = Operator(s3_config(seaweedfs_server))
    reads = ["read", "reader.read", "reader.next", "list", "lister.next"]  # outside of the retries of the operators
    writes = ["write", "writer.write", "writer.close"]
    here = Operator(Fs(tmp_path / "here")).layer(ChaosLayer(error_ratio=0.05, operations=reads))
    faulty = bucket.layer(ChaosLayer(error_ratio=0.05, operations=writes))
    report = copy_tree(client, here, faulty, keys=15, attempts=30, lock=False)  # a third of all tries fail
    assert_adds_up(report, 60)
    assert report.is_complete
    assert report.retried > 0
    assert read_all(bucket) == files


def test_a_key_that_fails_for_good_is_reported_and_stops_nothing(client, tmp_path) -> None:
    files = fill(tmp_path / "here", 50)
    os.mkfifo(tmp_path / "here" / "flat" / "pipe")
    (tmp_path / "here" / "gone").symlink_to("nowhere")
    report = copy_tree(client, Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there")), keys=10)
    assert_adds_up(report, 52)
    assert {error.path for error in report.failures} == {"flat/pipe", "gone"}
    assert report.done == 50
    assert read_all(Operator(Fs(tmp_path / "there"))) == files
    failed = [row for row in read_manifest(Operator(Fs(tmp_path / "there/.entrepot")).blocking()) if row.error]
    assert {row.path for row in failed} == {"flat/pipe", "gone"}


def test_a_mirror_has_what_the_source_has(client, tmp_path) -> None:
    files = fill(tmp_path / "here", 100)
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "surplus").write_bytes(b"old")
    report = sync_tree(client, here, there, keys=10, delete=True)
    assert (report.done, report.deleted) == (100, 1)
    changed = next(iter(files))
    (tmp_path / "here" / changed).write_bytes(b"changed")
    report = sync_tree(client, here, there, keys=10, delete=True)
    assert (report.done, report.skipped, report.deleted) == (1, 99, 0)
    assert read_all(there) == files | {changed: b"changed"}
    with pytest.raises(NotFound, match="nothing is deleted"):
        sync_tree(client, Operator(Fs(tmp_path / "empty")), there, delete=True)
    (tmp_path / "here" / "unmounted").mkdir()
    with pytest.raises(NotFound, match="nothing is deleted"):
        sync_tree(client, here, there, "unmounted/", "flat/", delete=True)
    with pytest.raises(InvalidInput, match="the source is in the target"):
        sync_tree(client, there, there, "flat/", "/", delete=True)


async def test_tables_have_a_row_for_each_file(client, tmp_path) -> None:  # async, as a cell of a notebook is
    parquet = pytest.importorskip("pyarrow.parquet")
    files = fill(tmp_path / "here", 120)
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    assert_adds_up(list_tree(client, here, there, keys=20), 120)
    assert_adds_up(checksum_tree(client, here, there, keys=20, algorithm="md5"), 120)
    listed = parquet.read_table(tmp_path / "there" / "listing").to_pydict()
    hashed = parquet.read_table(tmp_path / "there" / "checksums").to_pydict()
    assert dict(zip(listed["path"], listed["size"], strict=True)) == {p: len(c) for p, c in files.items()}
    digests = {path: hashlib.md5(content).hexdigest() for path, content in files.items()}
    assert dict(zip(hashed["path"], hashed["md5"], strict=True)) == digests
    assert listed["last_modified"][0].tzinfo is not None
    with pytest.raises(AlreadyExists, match="not empty"):
        list_tree(client, here, there)
    assert list_tree(client, here, there, keys=20, resume=True).skipped == 120


def test_bad_clusters_and_missing_directories_are_errors(client, tmp_path) -> None:
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    with pytest.raises(NotFound):
        copy_tree(client, here, there, "missing/")
    (tmp_path / "here").mkdir(exist_ok=True)
    with pytest.raises(ConfigInvalid, match="no scheduler of Dask answers"):
        copy_tree("tcp://127.0.0.1:1", here, there, timeout=0.3)
    with started(workers=0) as idle, pytest.raises(Timeout, match=r"no workers after 0\.3 s"):
        copy_tree(idle, here, there, timeout=0.3)
    with Client(client.scheduler.address, set_as_default=False) as closed:
        pass
    with pytest.raises(InvalidInput, match="not connected"):
        copy_tree(closed, here, there)
    assert not there.blocking().exists(".entrepot/lock")


def test_the_command_copies_by_a_cluster(cluster, tmp_path) -> None:
    files = fill(tmp_path / "here", 40)
    command = ("cp", "-r", "--cluster", cluster.scheduler_address)
    first = run(*command, "here", "there", cwd=tmp_path)
    assert (first.code, first.err) == (0, "40 of 40 files (28.2 KiB) copied\n"), first
    assert read_all(Operator(Fs(tmp_path / "there"))) == files
    again = run(*command, "here", "there", cwd=tmp_path)
    assert (again.code, again.err) == (0, "0 of 40 files (0 B) copied, 40 skipped\n")
    (tmp_path / "here" / "gone").symlink_to("nowhere")
    broken = run(*command, "--size-only", "here", "there", cwd=tmp_path)
    assert broken.code != 0
    assert "gone" in broken.err
    for options, said in (
        (("--dry-run",), "--dry-run does not go"),
        (("--checksum", "--update"), "exclude each other"),
    ):
        refused = run(*command, *options, "here", "there", cwd=tmp_path)
        assert (refused.code, said in refused.err) == (2, True)
    alone = run("cp", "--cluster", cluster.scheduler_address, "here/gone", "there", cwd=tmp_path)
    assert (alone.code, "one directory, with -r" in alone.err) == (2, True)
    lost = run("cp", "-r", "--cluster", "tcp://127.0.0.1:1", "here", "elsewhere", cwd=tmp_path)
    assert (lost.code, "no scheduler of Dask answers at tcp://127.0.0.1:1" in lost.err) == (2, True)


def test_a_lost_scheduler_is_an_error_and_a_rerun_goes_on(client, tmp_path) -> None:
    files = fill(tmp_path / "here", 400)
    here, there = Operator(Fs(tmp_path / "here")), Operator(Fs(tmp_path / "there"))
    slow = there.layer(ChaosLayer(seed=1, error_ratio=0, latency=0.02))
    lost = started()
    other = Client(lost, set_as_default=False)
    closing = threading.Thread(target=lost.close)

    def close(report: ClusterReport) -> None:
        if report.done > 100 and not closing.ident:
            closing.start()

    with pytest.raises(Unexpected, match="the scheduler was lost") as caught:
        copy_tree(other, here, slow, keys=20, progress=close)
    closing.join()
    other.close()
    assert caught.value.is_temporary
    report = copy_tree(client, here, there, keys=20)
    assert_adds_up(report, 400)
    assert report.skipped >= 100
    assert read_all(there) == files
