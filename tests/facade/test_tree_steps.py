"""Transfers of trees that compare in other ways, that only say what they would do, and that report each file."""

import asyncio
from pathlib import Path

import pytest

from entrepot import (
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    Progress,
    TransfersFailed,
    TreeReport,
    TreeStep,
    Unsupported,
)
from entrepot.services import Fs, Memory

MIB = 1024**2


async def filled(files) -> Operator:
    op = Operator(Memory())
    for path, content in files.items():
        await op.write(path, content)
    return op


async def content_of(op: Operator):
    return {entry.path: await op.read(entry.path) for entry in await op.list("/", recursive=True) if entry.is_file}


async def test_each_file_is_reported_once_with_what_was_done():
    source, target = await filled({"a": b"1", "b": b"22"}), await filled({"old": b"333"})
    await target.write("b", b"22")
    seen: list[TreeStep] = []
    await source.sync(target, delete=True, on_file=seen.append)
    assert sorted(seen, key=lambda step: step.path) == [
        TreeStep("copy", "a", 1),
        TreeStep("skip", "b", 2),
        TreeStep("delete", "old", 3),
    ]


async def test_a_file_that_fails_is_reported_with_its_error(tmp_path):
    source, target = await filled({"a": b"1", "b": b"2"}), Operator.from_uri(f"fs://{tmp_path}")
    await target.write("a/inside", b"makes a directory of the name a")
    seen: list[TreeStep] = []
    with pytest.raises(TransfersFailed) as failed:
        await source.copy_tree(target, on_file=seen.append)
    by_path = {step.path: step for step in seen}
    assert (by_path["a"].action, by_path["b"].action) == ("fail", "copy")
    assert isinstance(by_path["a"].error, Error)
    assert failed.value.failures == (by_path["a"].error,)


async def test_a_function_chooses_what_is_copied_and_deleted():
    source = await filled({"small": b"1", "large": b"22222"})
    target = await filled({"large": b"old", "surplus": b"1", "other": b"333"})
    report = await source.sync(target, delete=True, choose=lambda entry: entry.size < 3)
    assert report == TreeReport(copied=1, copied_bytes=1, deleted=1)
    assert await content_of(target) == {"small": b"1", "large": b"old", "other": b"333"}
    with pytest.raises(ZeroDivisionError):
        await source.copy_tree(target, choose=lambda entry: 1 / 0)
    with pytest.raises(InvalidInput, match="choose must be a function"):
        await source.copy_tree(target, choose="*.txt")


async def test_a_dry_run_reports_the_same_and_changes_nothing():
    source, target = await filled({"a": b"1", "b": b"22", "c": b"3"}), await filled({"old": b"333"})
    await target.write("b", b"22")
    before, planned, made = await content_of(target), list[TreeStep](), list[TreeStep]()
    report = await source.sync(target, delete=True, dry_run=True, on_file=planned.append)
    assert await content_of(target) == before
    assert await source.sync(target, delete=True, on_file=made.append) == report
    assert report == TreeReport(copied=2, copied_bytes=2, skipped=1, deleted=1)
    assert sorted(planned, key=repr) == sorted(made, key=repr)


@pytest.mark.parametrize(
    ("compare", "copied"),
    [
        ("time", ["longer", "newer"]),
        ("size", ["longer"]),
        ("update", ["newer"]),
        ("content", ["longer", "newer", "older"]),
    ],
)
async def test_what_is_compared_decides_what_is_copied(compare, copied):
    source = await filled({"older": b"ab", "same": b"ab", "longer": b"abc"})
    await asyncio.sleep(0.002)
    target = await filled({"older": b"xy", "same": b"ab", "newer": b"xy", "longer": b"ab"})
    await asyncio.sleep(0.002)
    await source.write("newer", b"ab")
    report = await source.copy_tree(target, skip_same=True, compare=compare)
    assert report.copied == len(copied)
    same = {path for path, content in (await content_of(source)).items() if await target.read(path) == content}
    assert same >= set(copied)


@pytest.mark.parametrize("at", [0, 7, 3 * MIB - 1])
async def test_content_is_compared_to_its_last_byte(at, tmp_path):
    content = bytearray(3 * MIB)
    content[at] = 1
    source, target = await filled({"big": bytes(content)}), Operator.from_uri(f"fs://{tmp_path}")
    await target.write("big", bytes(3 * MIB))
    assert (await source.sync(target, compare="content")).copied == 1
    assert (await source.sync(target, compare="content")).skipped == 1


async def test_what_on_file_raises_ends_the_transfer():
    source, target = await filled({str(number): b"x" for number in range(100)}), await filled({})

    def stop(step: TreeStep) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await source.copy_tree(target, on_file=stop, concurrent=1)
    assert len(await content_of(target)) == 1


@pytest.mark.parametrize("arguments", [{"compare": "etag"}, {"compare": None}, {"dry_run": 1}, {"on_file": 5}])
async def test_bad_input_is_refused(arguments):
    source, target = await filled({"a": b"1"}), await filled({})
    with pytest.raises(InvalidInput):
        await source.copy_tree(target, **arguments)
    assert await content_of(target) == {}


async def test_copy_to_reports_its_progress(tmp_path):
    source, target = await filled({"big": bytes(20 * MIB)}), Operator.from_uri(f"fs://{tmp_path}")
    seen: list[Progress] = []
    await source.copy_to(target, "big", "copy", progress=seen.append)
    assert [seen[-1].done, seen[-1].total_done, seen[-1].files_done] == [20 * MIB, 20 * MIB, 1]
    assert len(seen) > 2
    assert seen == sorted(seen, key=lambda progress: progress.done)


async def test_a_copy_by_the_store_reports_its_end(tmp_path):
    op = Operator.from_uri(f"fs://{tmp_path}")
    await op.write("a", b"12345")
    seen: list[Progress] = []
    await op.copy_to(op, "a", "b", progress=seen.append)
    assert seen[-1] == Progress("a", 5, 5, 5, 1)


async def test_each_copy_has_the_options_of_copies() -> None:
    source, target = await filled({"a": b"1", "b/c": b"2"}), Operator(Memory())
    report = await source.copy_tree(target, copy_options={"content_type": "text/x", "cache_control": "no-store"})
    assert report.copied == 2
    for path in ("a", "b/c"):
        stored = await target.stat(path)
        assert (stored.content_type, stored.cache_control) == ("text/x", "no-store")


async def test_options_of_copies_are_refused_before_the_source_is_listed(tmp_path: Path) -> None:
    source, target = Operator(Memory()), Operator(Fs(str(tmp_path)))
    for options, kind in [
        ({"storage_class": "COLD"}, Unsupported),
        ({"if_match": "e"}, InvalidInput),
        ({"source_version": "1"}, InvalidInput),
        ({"chunk": 0}, InvalidInput),
        ("content_type", InvalidInput),
    ]:
        with pytest.raises(kind) as caught:
            await source.copy_tree(target, "missing/", copy_options=options)
        assert caught.value.operation == "copy_tree"
    with pytest.raises(TypeError):
        await source.copy_tree(target, "missing/", copy_options={"colour": "red"})


async def test_by_name_no_file_of_the_target_is_replaced() -> None:
    source, target = await filled({"a": b"new", "b": b"new"}), await filled({"a": b"old, and longer"})
    report = await source.sync(target, compare="name", copy_options={"if_not_exists": True})
    assert (report.copied, report.skipped) == (1, 1)
    assert await target.read("a") == b"old, and longer"


async def test_content_is_compared_piece_by_piece() -> None:
    large = bytes(range(256)) * 20_000
    op = await filled({"a": large, "b": large[:-1] + b"x", "c": large[:-1], "empty": b""})
    other = await filled({"a": large})
    assert await op.has_same_content(other, "a")
    assert [await op.has_same_content(op, "a", name) for name in ("a", "b", "c", "empty")] == [True, *[False] * 3]
    assert op.blocking().has_same_content(other.blocking(), "b", "a") is False
    with pytest.raises(NotFound) as caught:
        await op.has_same_content(other, "b")
    assert (caught.value.operation, caught.value.path) == ("has_same_content", "b")
    with pytest.raises(IsADirectory):
        await op.has_same_content(other, "a/")
    with pytest.raises(InvalidInput, match="not str"):
        await op.has_same_content("b", "a")  # type: ignore[arg-type]
