"""Versions of objects on the command line, over a server of S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.testing import S3Server

from .running import run
from .test_s3 import Bucket


@pytest.fixture
def bucket(seaweedfs_server: S3Server, tmp_path: Path) -> Iterator[Bucket]:
    yield Bucket(seaweedfs_server, tmp_path, seaweedfs_server.versioned_bucket())


@pytest.fixture
def versions(bucket: Bucket) -> list[str]:
    """The ids of the versions of `d/a`: `one`, and `second`, which was deleted."""
    ids = [bucket.op.write("d/a", content).version for content in (b"one", b"second")]
    bucket.op.write("d/ab", b"another")
    bucket.op.delete("d/a")
    return [version for version in ids if version is not None]


def test_a_listing_shows_each_version_and_what_was_deleted(bucket: Bucket, versions: list[str]) -> None:
    records = bucket.run("ls", "--versions", "--json", f"{bucket.uri}d/a").records
    found = {record["version"]: (record.get("size"), record.get("is_deleted", False)) for record in records}
    mark = next(version for version, (_, is_deleted) in found.items() if is_deleted)
    assert found == {versions[0]: (3, False), versions[1]: (6, False), mark: (found[mark][0], True)}
    assert {record["uri"] for record in records} == {f"{bucket.uri}d/a"}
    (line,) = (line for line in bucket.run("ls", "--versions", f"{bucket.uri}d/").lines if mark in line)
    assert line.split()[2:] == ["deleted", mark, "a"]
    lines = bucket.run("ls", "--versions", "-r", bucket.uri).lines
    assert sorted(line.split()[-1] for line in lines if versions[0] in line or "ab" in line) == ["d/a", "d/ab"]
    assert (
        bucket.run("ls", "--versions", f"{bucket.uri}d").lines
        == bucket.run("ls", "--versions", f"{bucket.uri}d/").lines
    )
    matched = bucket.run("ls", "--versions", f"{bucket.uri}d*").lines
    assert {line.split()[-1] for line in matched} == {f"{bucket.uri}d/a", f"{bucket.uri}d/ab"}
    assert bucket.run("ls", "--versions", f"{bucket.uri}nothing").code == 3
    assert bucket.run("ls", f"{bucket.uri}d/").lines == ["ab"]


def test_a_version_is_shown_read_and_copied_after_the_object_was_deleted(bucket: Bucket, versions: list[str]) -> None:
    uri, old = f"{bucket.uri}d/a", ("--version-id", versions[0])
    assert bucket.run("cat", uri).code == 3
    assert bucket.run("cat", *old, uri).out == "one"
    assert bucket.run("cat", *old, "--range", "1:2", uri).out == "n"
    assert bucket.run("stat", *old, "--json", uri).records[0]["size"] == 3
    assert bucket.run("cp", *old, uri, "-").out == "one"
    assert bucket.run("cp", *old, uri, "local").code == 0
    assert (bucket.cwd / "local").read_bytes() == b"one"
    assert bucket.run("cp", *old, uri, f"{bucket.uri}e/").code == 0
    assert bucket.content() == {"d/ab": b"another", "e/a": b"one"}
    assert bucket.run("cp", *old, uri, uri).code == 0
    assert bucket.op.read("d/a") == b"one"


def test_a_deletion_is_undone_and_a_version_deleted_for_good(bucket: Bucket, versions: list[str]) -> None:
    uri = f"{bucket.uri}d/a"
    marks = [record for record in bucket.run("ls", "--versions", "--json", uri).records if "is_deleted" in record]
    assert bucket.run("rm", "-n", "--version-id", versions[1], uri).lines == [f"(dry run) delete: {uri}"]
    assert bucket.run("rm", "--version-id", marks[0]["version"], uri).code == 0
    assert bucket.run("cat", uri).out == "second"
    assert bucket.run("rm", "--version-id", versions[1], uri).code == 0
    assert bucket.run("cat", uri).out == "one"
    assert bucket.run("cat", "--version-id", versions[1], uri).code != 0


@pytest.mark.parametrize(
    "words",
    [
        ("cat", "a", "b"), ("cat", "-"), ("cat", "d/"), ("stat", "d/*"), ("rm", "-r", "d"), ("rm", "a", "b"),
        ("cp", "-r", "d", "e"), ("cp", "--checksum", "d/a", "e"), ("cp", "d/a", "d/b", "e/"),
    ],
)  # fmt: skip
def test_a_version_is_one_of_a_single_object(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(words[0], "--version-id", "v", *words[1:], cwd=tmp_path)
    assert (done.code, "--version-id goes with one object" in done.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("cat", "--version-id", "v", "a"), ("ls", "--versions", "."), ("rm", "--version-id", "v", "a")]
)
def test_a_storage_without_versions_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "a").write_bytes(b"1")
    done = run(*words, cwd=tmp_path)
    assert (done.code, "version" in done.err) == (1, True)
    assert (tmp_path / "a").read_bytes() == b"1"
