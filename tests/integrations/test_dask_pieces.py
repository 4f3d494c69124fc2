"""The pieces of transfers over a cluster, without a cluster: batches, surveys, the schedule, the manifest, the lock."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from entrepot import (
    AlreadyExists,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    Timeout,
    TransfersFailed,
    Unexpected,
    Unsupported,
)
from entrepot.blocking import BlockingOperator
from entrepot.layers import CapabilityOverrideLayer, ChaosLayer
from entrepot.services import S3, Fs, Memory

pytest.importorskip("distributed")

import distributed

import entrepot
from entrepot.integrations.dask import ManifestDamaged, read_manifest
from entrepot.integrations.dask.cluster import check_travels, check_versions, connected
from entrepot.integrations.dask.items import Batch, Item, Limits, cut
from entrepot.integrations.dask.large import part_count, part_size
from entrepot.integrations.dask.lock import LOCK, Lock
from entrepot.integrations.dask.manifest import Row, record, recorded, rows_of, written
from entrepot.integrations.dask.report import KEPT_FAILURES, ClusterReport, Outcome
from entrepot.integrations.dask.running import Rules, trees_of
from entrepot.integrations.dask.schedule import Job, Run
from entrepot.integrations.dask.settings import Settings
from entrepot.integrations.dask.survey import STATE, Survey, Tree, Unit, stream, survey
from entrepot.integrations.dask.tasks import Copying, copy_batch
from entrepot.integrations.dask.window import Window
from tests.facade.faults import Closed


class Here:
    """A pool that runs each task when its result is taken, the oldest or a random one first."""

    def __init__(self, seed: int | None = None) -> None:
        self.waiting: list[tuple[int, Callable[[], Any]]] = []
        self.most = self.submitted = 0
        self._random = None if seed is None else random.Random(seed)

    @property
    def size(self) -> int:
        return 4

    def submit(self, function: Callable[..., Any], *args: Any) -> int:
        self.submitted += 1
        self.waiting.append((self.submitted, partial(function, *args)))
        self.most = max(self.most, len(self.waiting))
        return self.submitted

    def take(self) -> tuple[int, Any]:
        chosen = 0 if self._random is None else self._random.randrange(len(self.waiting))
        name, call = self.waiting.pop(chosen)
        try:
            return name, call()
        except Exception as error:  # as a future has it
            return name, error

    def close(self) -> None:
        self.waiting.clear()


def items(count: int, size: int = 10, start: int = 0) -> list[Item]:
    return [Item(f"d/{number:06}", size, f'"{number}"', None) for number in range(start, start + count)]


def paths_of(batches: Any) -> list[str]:
    return [item.path for batch in batches for item in batch.items()]


async def in_memory(paths: Any) -> Operator:
    op = Operator(Memory())
    for path in paths:
        await op.write(path, b"content")
    return op


# Batches


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (Limits(keys=7), [10] * 100),
        (Limits(keys=1), [10] * 5),
        (Limits(size=35), [10] * 100),
        (Limits(size=35), [30, 30, 100, 1, None, None, 40]),
        (Limits(size=50, large=60), [10, 60, 10, 200, None]),
        (Limits(), []),
    ],
)
def test_batches_have_all_objects_in_order_and_keep_their_bounds(limits: Limits, sizes: list[int | None]) -> None:
    listed = [Item(f"p/ü {number}", size, None, number) for number, size in enumerate(sizes)]
    batches = list(cut(iter(listed), limits))
    large = [item.path for item in listed if (item.size or 0) >= limits.large]
    assert sorted(paths_of(batches)) == sorted(item.path for item in listed)
    assert [path for path in paths_of(batches) if path not in large] == [i.path for i in listed if i.path not in large]
    for batch in batches:
        assert batch.keys == len(batch.items()) <= limits.keys
        assert batch.size == sum(item.size or 0 for item in batch.items())
        assert batch.size <= limits.size or batch.keys == 1
        assert batch.keys == 1 or not any(item.path in large for item in batch.items())


def test_an_added_key_changes_few_batches() -> None:
    before = {batch.id for batch in cut(items(5_000), Limits(keys=100))}
    more = sorted([*items(5_000), Item("d/000100x", 10, '"new"')])
    after = {batch.id for batch in cut(more, Limits(keys=100))}
    assert len(before) > 50
    assert 1 <= len(after - before) <= 5


@pytest.mark.parametrize("change", [{"size": 11}, {"etag": '"other"'}, {"path": "d/other"}])
def test_another_object_is_another_batch(change: dict[str, Any]) -> None:
    first, *rest = items(3)
    assert Batch.of([first, *rest]).id == Batch.of([first._replace(modified=5), *rest]).id
    assert Batch.of([first, *rest]).id != Batch.of([first._replace(**change), *rest]).id


def test_the_rest_of_a_batch_keeps_its_id() -> None:
    batch = Batch.of(items(5))
    rest = batch.rest(["d/000003", "d/000001"])
    assert (rest.id, rest.attempt, rest.keys, rest.size) == (batch.id, 1, 2, 20)
    assert [item.path for item in rest.items()] == ["d/000001", "d/000003"]


# Surveys

TREES = {
    "flat": [f"f{number:03}" for number in range(40)],
    "wide": [f"d{number:03}/x" for number in range(40)],
    "files between directories": [name for n in range(15) for name in (f"d{n:02}/a/b", f"d{n:02}-", f"d{n:02}.txt")],
    "deep": [f"{'/'.join('abcdefgh'[:depth])}/{number}" for depth in range(1, 9) for number in range(5)],
    "one large of many": [f"d{n}/x" for n in range(9)] + [f"d4/e{n}/{m}" for n in range(5) for m in range(9)],
    "small": ["a", "b/c"],
    "empty": [],
}


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("probe", [3, 7, 1_000])
@pytest.mark.parametrize("name", TREES)
async def test_surveys_find_each_object_once(name: str, probe: int, is_ordered: bool) -> None:
    op = await in_memory([f"top/{path}" for path in TREES[name]] + ["other", f"top/{STATE}lock", "topmost/x"])
    if not is_ordered:
        op = op.layer(CapabilityOverrideLayer(list_with_start_after=False))
    tree, limits = Tree(op, "top/"), Limits(keys=4, probe=probe, group=3)
    units, found = [Unit(("top/",))], list[Batch]()
    while units:
        unit = units.pop()
        result = await survey(tree, unit, limits)
        found += result.batches
        units += result.units
        assert sum(batch.keys for batch in result.batches) <= probe
        if result.is_too_large:
            streamed = list(stream(tree, unit))
            units += [one for one in streamed if isinstance(one, Unit)]
            found += cut([one for one in streamed if isinstance(one, Item)], limits)
    assert sorted(paths_of(found)) == sorted(TREES[name])


async def test_a_survey_leaves_out_what_the_patterns_leave_out() -> None:
    op = await in_memory(["a/1.csv", "a/2.tmp", "b/3.csv", "4.csv"])
    tree = Tree(op, "/", include=("*.csv",), exclude=("b/",))
    assert sorted(paths_of((await survey(tree, Unit(("/",)), Limits())).batches)) == ["4.csv", "a/1.csv"]


async def test_a_survey_names_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    """Its files would be missing, and a sync would delete them at the target."""
    op = Operator(Fs(tmp_path)).layer(Closed())
    for path in ("closed/secret", "later/1", "open"):
        await op.write(path, b"1")
    await op.create_dir("empty/")
    found = await survey(Tree(op), Unit(("/",)), Limits())
    assert [(error.path, error.kind) for error in found.errors] == [("closed/", "PermissionDenied")]
    assert sorted(paths_of(found.batches)) == ["later/1", "open"]
    found = await survey(Tree(op, exclude=("closed/",)), Unit(("/",)), Limits())
    assert (found.errors, sorted(paths_of(found.batches))) == ((), ["later/1", "open"])


async def test_a_survey_names_the_directories_of_names_that_no_path_can_have(tmp_path: Path) -> None:
    op = Operator(Fs(tmp_path))
    for path in ("a/1", "a/b/2", "c/3"):
        await op.write(path, b"1")
    for name in (b"a/b/line\nbreak", b"\xff"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    tree, small = Tree(op), Limits(probe=2)
    found = await survey(tree, Unit(("/",)), Limits())
    assert sorted(paths_of(found.batches)) == ["a/1", "a/b/2", "c/3"]
    assert sorted(error.path for error in found.errors) == ["/", "a/b/"]
    level = await survey(tree, Unit(("/",)), small)
    assert level.is_too_large or [error.path for error in level.errors] == ["/"]
    assert [one.path for one in stream(tree, Unit(("/",))) if isinstance(one, Error)] == ["/"]


# The schedule


def job_of(work: Callable[[Batch], Outcome], listed: list[Item], **more: Any) -> Job:
    """A job over two directories; the second one is streamed by the client."""
    half = len(listed) // 2
    limits = Limits(keys=10)

    def look(unit: Unit) -> Survey:
        match unit.directories:
            case ("/",):
                return Survey(units=(Unit(("a/",)), Unit(("b/",))))
            case ("a/",):
                return Survey(batches=tuple(cut(listed[:half], limits)))
            case _:
                return Survey(is_too_large=True)

    return Job(survey=look, work=work, stream=lambda _: iter(listed[half:]), limits=limits, **more)


def done(batch: Batch) -> Outcome:
    return Outcome(done=batch.keys, size=batch.size)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_run_does_each_object_once_within_its_window(seed: int | None) -> None:
    seen, pool, reports = list[str](), Here(seed), list[ClusterReport]()

    def work(batch: Batch) -> Outcome:
        seen.extend(item.path for item in batch.items())
        return done(batch)

    run = Run(pool, job_of(work, items(500)), Window(5), reports.append)
    report = run.all("/")
    assert sorted(seen) == [item.path for item in items(500)]
    assert (report.listed, report.done, report.size, report.failed) == (500, 500, 5_000, 0)
    assert report.is_complete
    assert pool.most <= 5
    assert reports[-1] == report
    assert len(reports) == report.tasks == pool.submitted


def test_a_long_level_waits_for_the_tasks() -> None:
    taken, pool = list[int](), Here()

    def listed() -> Any:
        for item in items(2_000):
            taken.append(len(pool.waiting))
            yield item

    job = replace(job_of(done, []), stream=lambda _: listed())
    run = Run(pool, job, Window(3))
    assert run.all("/").done == 2_000
    assert max(taken) <= 3
    assert run.waiting <= 2


def test_temporary_errors_are_tried_again_and_others_are_not() -> None:
    tries: dict[str, int] = {}

    def work(batch: Batch) -> Outcome:
        failures = list[Error]()
        for item in batch.items():
            tries[item.path] = tries.get(item.path, 0) + 1
            number = int(item.path[-6:])
            if number % 10 == 0 and tries[item.path] < 3:
                failures.append(Unexpected("lost", path=item.path, is_temporary=True))
            elif number % 10 == 1:
                failures.append(PermissionDenied("no", path=item.path))
            elif number % 10 == 2:
                failures.append(Unexpected("down", path=item.path, is_temporary=True))
        return Outcome(batch.keys - len(failures), 0, 0, tuple(failures))

    report = Run(Here(1), job_of(work, items(100), attempts=4), Window(4)).all("/")
    assert (report.listed, report.done, report.failed) == (100, 80, 20)
    assert report.done + report.skipped + report.failed == report.listed
    assert {tries[item.path] for item in items(100) if item.path.endswith("1")} == {1}
    assert {tries[item.path] for item in items(100) if item.path.endswith("2")} == {4}
    assert report.retried == 10 * 2 + 10 * 3
    assert {error.path[-1:] for error in report.failures if error.path} == {"1", "2"}
    with pytest.raises(TransfersFailed, match="20 transfers failed"):
        report.check()


def test_a_task_that_dies_is_the_error_of_its_objects_without_its_text() -> None:
    def work(batch: Batch) -> Outcome:
        if batch.items()[0].path == "d/000000":
            raise RuntimeError("password=hunter2")
        return done(batch)

    report = Run(Here(), job_of(work, items(40)), Window(4)).all("/")
    assert report.done + report.failed == report.listed == 40
    assert 0 < report.failed <= 10
    assert "RuntimeError" in str(report.failures[0])
    assert not any("hunter2" in str(error) for error in report.failures)


def test_a_directory_that_cannot_be_listed_stops_nothing_else() -> None:
    def look(unit: Unit) -> Survey:
        if unit.directories == ("a/",):
            raise PermissionDenied("no")
        return Survey(tuple(cut(items(5), Limits())), (Unit(("a/",)),) if unit.directories == ("/",) else ())

    report = Run(Here(), replace(job_of(done, []), survey=look), Window(4)).all("/")
    assert (report.done, report.failed, report.is_complete) == (5, 0, False)
    assert [error.path for error in report.errors] == ["a/"]


def test_a_survey_that_fails_for_now_is_tried_again() -> None:
    tries = list[int]()

    def look(unit: Unit) -> Survey:
        tries.append(unit.attempt)
        if unit.attempt < 2:
            raise Timeout("late")
        return Survey(tuple(cut(items(5), Limits())))

    report = Run(Here(), replace(job_of(done, []), survey=look), Window(4)).all("/")
    assert (tries, report.done, report.is_complete) == ([0, 1, 2], 5, True)


class Large:
    """A large object of three parts, which notes what is done with it."""

    def __init__(self, failing: dict[int, Error] | None = None, ending: Error | None = None) -> None:
        self.numbers = [1, 2, 3]
        self.calls: list[str] = []
        self._failing, self._ending = dict(failing or {}), ending

    def task(self, number: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._send, (number,)

    def _send(self, number: int) -> int:
        self.calls.append(f"send {number}")
        error = self._failing.get(number)
        if error is not None:
            if error.is_temporary:
                del self._failing[number]
            raise error
        return number

    def complete(self, results: Any) -> Outcome:
        self.calls.append(f"complete {sorted(results)}")
        if self._ending is not None:
            raise self._ending
        return Outcome(done=1)

    def abort(self) -> None:
        self.calls.append("abort")

    def leave(self) -> None:
        self.calls.append("leave")


@pytest.mark.parametrize(
    ("large", "is_done", "calls"),
    [
        (Large(), True, ["send 1", "send 2", "send 3", "complete [1, 2, 3]"]),
        (Large({2: Timeout("late")}), True, ["send 1", "send 2", "send 3", "send 2", "complete [1, 2, 3]"]),
        (Large({2: PermissionDenied("no")}), False, ["send 1", "send 2", "send 3", "abort"]),
        (Large(ending=PermissionDenied("no")), False, ["send 1", "send 2", "send 3", "complete [1, 2, 3]", "abort"]),
    ],
)
def test_a_large_object_ends_once(large: Large, is_done: bool, calls: list[str]) -> None:
    job = job_of(done, [], spread=lambda _: large)
    survey_one = replace(job, survey=lambda _: Survey((Batch.of(items(1)),)))
    report = Run(Here(), survey_one, Window(3)).all("/")
    assert large.calls == calls
    assert (report.listed, report.done, report.failed) == (1, int(is_done), int(not is_done))


def test_a_large_object_without_missing_parts_is_completed_at_once() -> None:
    large = Large()
    large.numbers = []
    job = replace(job_of(done, [], spread=lambda _: large), survey=lambda _: Survey((Batch.of(items(1)),)))
    assert Run(Here(), job, Window(3)).all("/").done == 1
    assert large.calls == ["complete []"]


def test_a_large_object_that_cannot_be_started_has_failed() -> None:
    def refuse(_: Batch) -> None:
        raise PermissionDenied("no")

    job = replace(job_of(done, [], spread=refuse), survey=lambda _: Survey((Batch.of(items(1)),)))
    report = Run(Here(), job, Window(3)).all("/")
    assert (report.listed, report.failed, report.failures[0].path) == (1, 1, "d/000000")


def test_a_run_that_stops_leaves_its_large_objects() -> None:
    def stop(report: ClusterReport) -> None:
        if report.tasks == 2:
            raise KeyboardInterrupt

    large = Large()
    job = replace(job_of(done, [], spread=lambda _: large), survey=lambda _: Survey((Batch.of(items(1)),)))
    with pytest.raises(KeyboardInterrupt):
        Run(Here(), job, Window(3), stop).all("/")
    assert large.calls[-1] == "leave"


@pytest.mark.parametrize(
    ("size", "part", "expected", "count"),
    [(64 << 20, 8 << 20, 8 << 20, 8), (10, 1, 5 << 20, 1), (5 << 40, 64 << 20, 525 << 20, 9987), (0, 8, 5 << 20, 1)],
)
def test_the_parts_of_a_large_object_are_at_most_ten_thousand(size: int, part: int, expected: int, count: int) -> None:
    assert part_size(size, part, 5 << 20) == expected
    assert part_count(size, expected) == count <= 10_000


def test_an_error_of_the_progress_function_ends_the_run() -> None:
    def stop(_: ClusterReport) -> None:
        raise KeyboardInterrupt

    pool = Here()
    with pytest.raises(KeyboardInterrupt):
        Run(pool, job_of(done, items(50)), Window(4), stop).all("/")
    assert not pool.waiting


def test_a_report_keeps_a_bounded_number_of_failures() -> None:
    failures = tuple(PermissionDenied("no", path=str(number)) for number in range(KEPT_FAILURES))
    report = ClusterReport()
    for _ in range(3):
        report = report.with_outcome(Outcome(failures=failures), len(failures))
    assert (report.failed, len(report.failures)) == (3 * KEPT_FAILURES, KEPT_FAILURES)


def test_the_window_gives_way_to_throttling_and_recovers() -> None:
    window, sizes = Window(16), list[int]()
    slow = [RateLimited("slow down"), Timeout("late"), Unexpected("busy", context={"status": 503})]
    for error in [*slow, *slow]:
        window.note([error])
        sizes.append(window.size)
    assert sizes == [8, 4, 2, 1, 1, 1]
    window.note([NotFound("none")])
    assert window.size == 2
    for _ in range(400):
        window.note([])
    assert window.size == 16


# The manifest


def test_an_object_of_the_manifest_is_read_as_it_was_written() -> None:
    rows = [
        Row("a\nb", 1, '"e"', "done"),
        Row("ü", None, None, "failed", "NotFound: gone"),
        Row("c", 0, None, "skipped"),
    ]
    batch = Batch.of([Item(row.path, row.size) for row in rows])
    content = written(batch, rows)
    assert list(rows_of(content)) == rows
    assert json.loads(content.splitlines()[0]) == {"batch": batch.id, "attempt": 0, "keys": 3}
    for damaged in (
        b"",
        b"<html>",
        b"[]\n",
        content[: len(content) // 2],
        content[:-20],
        b"\n".join(content.splitlines()[:-1]),
    ):
        with pytest.raises(ManifestDamaged):
            list(rows_of(damaged))


async def test_attempts_are_read_together_and_damage_is_copied_again() -> None:
    op, batch = Operator(Memory()), Batch.of(items(2))
    first, second = (item.path for item in batch.items())
    await record(op, batch, [Row(first, 10, None, "failed", "Timeout: late"), Row(second, 10, None, "done")])
    await record(op, batch.rest([first]), [Row(first, 10, '"e"', "done")])
    await op.write(f"done/{batch.id}-2.jsonl", b"<html>")
    assert set(await recorded(op, batch)) == {first, second}
    assert await recorded(op, Batch.of(items(3))) == {}
    with pytest.raises(ManifestDamaged):
        list(read_manifest(op.blocking()))


@pytest.fixture
async def copying() -> Copying:
    source, target = await in_memory(["a", "b", "c/d"]), Operator(Memory())
    return Copying(Tree(source), Tree(target, "t/"), target.at(f"t/{STATE}"))


async def batch_of(copying: Copying) -> Batch:
    (batch,) = (await survey(copying.source, Unit(("/",)), Limits())).batches
    return batch


@pytest.mark.parametrize(("verify", "copied"), [("size", 1), ("etag", 2), ("checksum", 2)])
async def test_a_rerun_copies_what_the_target_lost(copying: Copying, verify: Any, copied: int) -> None:
    batch = await batch_of(copying)
    assert (await copy_batch(copying, batch)).done == 3
    target = copying.target.operator
    assert await target.read("t/c/d") == b"content"
    await target.delete("t/a")
    await target.write("t/b", b"CONTENT")
    outcome = await copy_batch(replace(copying, is_rerun=True, verify=verify), batch)
    assert (outcome.done, outcome.skipped) == (copied, 3 - copied)
    assert await target.read("t/a") == b"content"
    assert [await target.read("t/b") == b"content"] == [copied == 2]


@pytest.mark.parametrize(("compare", "copied"), [("time", 1), ("size", 1), ("update", 1), ("content", 2)])
async def test_a_comparison_skips_what_is_the_same(copying: Copying, compare: Any, copied: int) -> None:
    batch = await batch_of(copying)
    target = copying.target.operator
    await target.write("t/a", b"content")
    await target.write("t/b", b"CONTENT")
    outcome = await copy_batch(replace(copying, compare=compare), batch)
    assert (outcome.done, outcome.skipped) == (copied, 3 - copied)


async def test_a_key_that_fails_is_named_and_the_others_are_copied(copying: Copying) -> None:
    batch = await batch_of(copying)
    await copying.source.operator.delete("b")
    outcome = await copy_batch(copying, batch)
    assert (outcome.done, [(error.kind, error.path) for error in outcome.failures]) == (2, [("NotFound", "b")])
    rows = {row.path: row for row in rows_of(await copying.target.operator.read(f"t/{STATE}done/{batch.id}-0.jsonl"))}
    assert (rows["b"].state, rows["a"].state) == ("failed", "done")


async def test_keys_that_a_file_system_takes_for_others_are_refused(tmp_path: Any) -> None:
    source, target = await in_memory(["a//b", "a/./b", "good"]), Operator(Fs(tmp_path))
    copying = Copying(Tree(source), Tree(target), None)
    outcome = await copy_batch(copying, Batch.of([Item("a//b"), Item("a/./b"), Item("../x"), Item("good")]))
    assert outcome.done == 1
    assert [error.kind for error in outcome.failures] == ["InvalidInput"] * 3


# The lock


def test_a_second_run_names_the_owner_of_the_lock() -> None:
    state = Operator(Memory()).blocking()
    with Lock(state, lease=1):
        waited = list[float]()

        def beat(seconds: float) -> None:
            waited.append(seconds)
            owner = json.loads(state.read(LOCK))
            state.write(LOCK, json.dumps({**owner, "count": owner["count"] + 1}).encode())

        with pytest.raises(AlreadyExists, match=rf"another run works on this target: host .+, process {os.getpid()}"):
            Lock(state, lease=1, wait=beat).__enter__()
        assert waited == [1]
    assert not state.exists(LOCK)


@pytest.mark.parametrize("has_if_match", [True, False])
def test_the_lock_of_a_dead_owner_is_taken_over(has_if_match: bool) -> None:
    op = Operator(Memory()).layer(CapabilityOverrideLayer(write_with_if_match=has_if_match))
    state = op.blocking()
    for owner in ({"host": "elsewhere", "process": 1}, "not an owner"):
        state.write(LOCK, json.dumps(owner).encode())
        waited = list[float]()
        with Lock(state, wait=waited.append):
            assert json.loads(state.read(LOCK))["process"] == os.getpid()
        assert waited == [60]
        assert not state.exists(LOCK)


def test_a_dead_process_of_this_host_is_not_waited_for(tmp_path: Any) -> None:
    program = (
        "import os, sys\n"
        "from entrepot import Operator\n"
        "from entrepot.integrations.dask.lock import Lock\n"
        "from entrepot.services import Fs\n"
        "Lock(Operator(Fs(sys.argv[1])).blocking()).__enter__()\n"
        "os._exit(9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    state = Operator(Fs(tmp_path)).blocking()
    assert ended.returncode == 9
    assert state.exists(LOCK)
    with Lock(state, wait=lambda _: pytest.fail("it waited")):
        assert json.loads(state.read(LOCK))["process"] == os.getpid()


class Racing:
    """The state of a target whose lock another run takes over just after this one has called a method so many times."""

    def __init__(self, state: BlockingOperator, method: str, calls: int) -> None:
        self._state = state
        self._method = method
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return self._call if name == self._method else getattr(self._state, name)

    def _call(self, path: str) -> Any:
        try:
            return getattr(self._state, self._method)(path)
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._state.write(LOCK, b'{"host": "other"}')


@pytest.mark.parametrize(
    ("method", "calls", "gives_up"), [("read", 1, False), ("read", 2, False), ("stat", 2, False), ("stat", 2, True)]
)
def test_of_two_runs_that_take_over_one_has_the_lock(method: str, calls: int, *, gives_up: bool) -> None:
    state = Operator(Memory()).blocking()
    state.write(LOCK, json.dumps({"host": "elsewhere", "process": 1}).encode())

    def wait(_: float) -> None:
        if gives_up:
            state.delete(LOCK)

    racing: Any = Racing(state, method, calls)
    with pytest.raises(AlreadyExists, match="another run"):
        Lock(racing, wait=wait).__enter__()
    assert json.loads(state.read(LOCK)) == {"host": "other"}


@pytest.mark.parametrize(("method", "calls"), [("read", 2), ("delete", 1)])
def test_a_lock_that_another_run_has_just_taken_over_is_not_deleted(method: str, calls: int) -> None:
    """The service of the target has no `if_match`."""
    op = Operator(Memory()).layer(CapabilityOverrideLayer(write_with_if_match=False))
    state = op.blocking()
    state.write(LOCK, json.dumps({"host": "elsewhere", "process": 1}).encode())
    racing: Any = Racing(state, method, calls)
    with pytest.raises(AlreadyExists, match="another run"):
        Lock(racing, wait=lambda _: None).__enter__()
    assert json.loads(state.read(LOCK)) == {"host": "other"}


def test_a_lock_that_its_owner_gave_up_is_free() -> None:
    state = Operator(Memory()).blocking()
    state.write(LOCK, b'{"host": "elsewhere"}')
    with Lock(state, wait=lambda _: state.delete(LOCK)) as lock:
        lock.check()
    assert not state.exists(LOCK)


@pytest.mark.parametrize("content", [b"no JSON", b"[1]", b'{"host": 7, "process": "x"}'])
def test_a_lock_that_something_else_wrote_is_taken_over_after_a_lease(content: bytes) -> None:
    state, waited = Operator(Memory()).blocking(), list[float]()
    state.write(LOCK, content)
    with Lock(state, wait=waited.append):
        assert json.loads(state.read(LOCK))["process"] == os.getpid()
    assert waited == [60.0]
    assert not state.exists(LOCK)


def test_a_process_of_another_user_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(process: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    state = Operator(Memory()).blocking()
    state.write(LOCK, json.dumps({"host": socket.gethostname(), "process": 7, "user": "root"}).encode())

    def beat(_: float) -> None:
        state.write(LOCK, json.dumps({"host": socket.gethostname(), "process": 7, "count": 1}).encode())

    with pytest.raises(AlreadyExists, match="process 7, user root"):
        Lock(state, wait=beat).__enter__()


@pytest.mark.parametrize(("is_temporary", "is_lost"), [(True, False), (False, True)])
def test_a_lock_that_cannot_be_renewed_is_lost_where_that_stays_so(*, is_temporary: bool, is_lost: bool) -> None:
    state = Operator(Memory()).blocking()
    lock = Lock(state, lease=0.003)
    failed = threading.Event()

    class Failing:
        def read(self, path: str) -> bytes:
            failed.set()
            raise Unexpected("cut", is_temporary=is_temporary)

    with lock:
        lock._state = Failing()  # type: ignore[assignment]
        assert failed.wait(20)
        if is_lost:
            lock._thread.join(20)  # type: ignore[union-attr]
            with pytest.raises(Unexpected, match="cut"):
                lock.check()
        else:
            lock.check()
            assert lock._thread.is_alive()  # type: ignore[union-attr]
        lock._state = state


def test_a_target_that_cannot_keep_a_lock_says_so() -> None:
    state = Operator(Memory()).layer(CapabilityOverrideLayer(write_with_if_not_exists=False)).blocking()
    with pytest.raises(Unsupported, match="lock=False"):
        Lock(state).__enter__()


def test_a_run_that_lost_its_lock_stops_and_leaves_it() -> None:
    state = Operator(Memory()).blocking()
    with Lock(state, lease=0.03) as lock:
        state.write(LOCK, b'{"host": "thief"}')
        lock._thread.join(5)  # type: ignore[union-attr]
        with pytest.raises(Unexpected, match="another run has taken the lock"):
            lock.check()
    assert state.read(LOCK) == b'{"host": "thief"}'


# Bad input

SECRET = "s3cr3t-key"


def s3(**more: Any) -> Operator:
    return Operator(S3(bucket="b", region="r", access_key_id="a", secret_access_key=SECRET, **more))


def test_a_target_in_the_source_is_refused() -> None:
    refused = [
        (s3(), s3(), "a", "a/b"),
        (s3(), s3(), "a/", None),
        (s3(root="/x"), s3(), "a", "x/a/c"),
        (s3(), s3(), "/", "z"),
    ]
    for source, target, source_path, target_path in refused:
        with pytest.raises(InvalidInput, match="the target is in the source"):
            trees_of(source, target, source_path, target_path, (), ())
    for source, target, source_path, target_path in [
        (s3(), s3(), "a", "b"),
        (s3(), s3(), "a/b", "a"),
        (s3(), s3(endpoint="http://127.0.0.1:1"), "a", None),
    ]:
        here, there = trees_of(source, target, source_path, target_path, (), ())
        assert here.path.endswith("/")
        assert there.path.endswith("/")


@pytest.mark.parametrize(
    "operator", [Operator(Memory()), s3().layer(ChaosLayer()).layer(CapabilityOverrideLayer(lambda c: c))]
)
def test_an_operator_that_cannot_be_pickled_is_refused(operator: Operator) -> None:
    with pytest.raises(InvalidInput, match=r"the source \(\w+\) cannot be pickled") as caught:
        check_travels(operator, "source")
    assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "options",
    [
        {"keys": 0},
        {"size": "1"},
        {"in_flight": 0},
        {"attempts": True},
        {"nonsense": 1},
        {"progress": 1},
        {"timeout": -1},
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        Settings.of(options)


@pytest.mark.parametrize("options", [{"verify": "md5"}, {"compare": "x"}, {"is_mirror": 1}, {"lease": 0}])
def test_a_bad_rule_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Rules(**options)


def test_workers_of_other_versions_are_named() -> None:
    def packages(**more: str) -> dict[str, Any]:
        python = ".".join(map(str, sys.version_info[:3]))
        mine = {"python": python, "entrepot": entrepot.__version__, "distributed": distributed.__version__}
        return {"packages": {**mine, **more}}

    check_versions({"tcp://a:1": packages()})
    with pytest.raises(ConfigInvalid) as caught:
        check_versions({"tcp://a:1": packages(), "tcp://b:1": packages(python="3.9.2"), "tcp://c:1": {"packages": {}}})
    assert "tcp://a:1" not in str(caught.value)
    assert "tcp://b:1: Python 3.9, entrepot" in str(caught.value)
    assert "tcp://c:1: Python None, no entrepot" in str(caught.value)


@pytest.mark.parametrize(
    ("cluster", "error", "said"),
    [
        ("tcp://127.0.0.1:1", ConfigInvalid, "no scheduler of Dask answers at tcp://127.0.0.1:1"),
        ("nonsense://x", ConfigInvalid, "scheduler"),
        (7, InvalidInput, "not int"),
    ],
)
def test_a_cluster_that_is_not_there_is_an_error(cluster: Any, error: type[Error], said: str) -> None:
    with pytest.raises(error, match=said), connected(cluster, 0.3):
        pass
