"""The verbs over a server of S3, and what an interrupted command leaves behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.cli.refusals import MOST
from entrepot.facade import refusals
from entrepot.testing import S3Server
from tests.conftest import s3_config

from .running import COMMAND, Done, environment, run, wait_until

MIB = 1024**2


class Bucket:
    """A root in a bucket, and the command with the credentials of its server.

    Arguments:
        server: the server.
        cwd: the directory of the command.
        name: the bucket. By default the one of the server.
    """

    def __init__(self, server: S3Server, cwd: Path, name: str | None = None) -> None:
        config = s3_config(server, name)
        self.cwd = cwd
        self.uri = f"s3://{config.bucket}/{config.root.strip('/')}/"
        self.op = Operator(config).blocking()
        self.env: Mapping[str, str] = {
            "AWS_ACCESS_KEY_ID": config.access_key_id or "", "AWS_SECRET_ACCESS_KEY": config.secret_access_key or "",
            "AWS_ENDPOINT_URL": config.endpoint or "", "AWS_REGION": "us-east-1",
        }  # fmt: skip

    def run(self, *words: str, given: bytes = b"", **env: str) -> Done:
        return run(*words, cwd=self.cwd, given=given, env={**self.env, **env})

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.cwd,
            env=environment(self.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def content(self) -> dict[str, bytes]:
        return {entry.path: self.op.read(entry.path) for entry in self.op.list("/", recursive=True) if entry.is_file}


@pytest.fixture
def bucket(seaweedfs_server: S3Server, tmp_path: Path) -> Iterator[Bucket]:
    yield Bucket(seaweedfs_server, tmp_path)


def test_a_tree_goes_up_and_down(bucket: Bucket) -> None:
    tree = {"a/1": b"one", "a/sp ace/é": b"two", "b%3F?": b"three", "z": bytes(9 * MIB)}
    for name, content in tree.items():
        (bucket.cwd / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (bucket.cwd / "up" / name).write_bytes(content)
        os.utime(bucket.cwd / "up" / name, (0, 0))  # the store's times are whole seconds, and may be before this one
    assert bucket.run("cp", "-r", "up", bucket.uri).code == 0
    assert bucket.content() == tree
    assert len(bucket.run("cp", "-r", "--resume", "up", bucket.uri).lines) == 0
    assert bucket.run("cp", "-r", bucket.uri, "down").code == 0
    assert bucket.run("diff", "up", bucket.uri) == (0, "", "")
    assert {record["path"].rpartition("up/")[2] for record in bucket.run("ls", "--json", "-r", "up").records} >= {*tree}
    assert all((bucket.cwd / "down" / name).read_bytes() == content for name, content in tree.items())
    assert bucket.run("cp", f"{bucket.uri}b%3F?", "literal").code == 0  # the pattern matches the key that it is
    assert (bucket.cwd / "literal/b%3F?").read_bytes() == b"three"


def test_objects_are_shown_moved_and_deleted(bucket: Bucket) -> None:
    put = bucket.run(
        "cp", "--content-type", "text/x-test", "--metadata", "k=v", "-", f"{bucket.uri}d/x", given=b"content"
    )
    assert put.code == 0
    (shown,) = bucket.run("stat", "--json", f"{bucket.uri}d/x").records
    assert (shown["size"], shown["content_type"], shown["user_metadata"]) == (7, "text/x-test", {"k": "v"})
    assert bucket.run("mv", f"{bucket.uri}d/x", f"{bucket.uri}e/").lines == [
        f"move: {bucket.uri}d/x to {bucket.uri}e/x"
    ]
    assert bucket.run("cp", "--no-clobber", "-", f"{bucket.uri}e/x", given=b"other").code == 1
    assert bucket.content() == {"e/x": b"content"}
    link = bucket.run("presign", "--expires", "5m", f"{bucket.uri}e/x").lines[0]
    assert "X-Amz-Expires=300" in link
    assert bucket.run("rm", f"{bucket.uri}e/y").code == 3
    assert bucket.run("rm", "-r", f"{bucket.uri}e").code == 0
    assert bucket.content() == {}


def test_copies_have_tags_and_access_control(bucket: Bucket) -> None:
    (bucket.cwd / "d").mkdir()
    (bucket.cwd / "d/x").write_bytes(b"content")
    tags = ("--tag", "team=a=b", "--tag", "kept=")
    assert bucket.run("cp", *tags, "--acl", "private", "d/x", bucket.uri).code == 0
    assert bucket.op.get_tags("x") == {"team": "a=b", "kept": ""}
    assert bucket.run("cp", "-r", *tags, "d", f"{bucket.uri}tree").code == 0
    assert bucket.run("sync", "--checksum", "--tag", "new=1", "d", f"{bucket.uri}synced").code == 0
    assert [bucket.op.get_tags(path) for path in ("tree/x", "synced/x")] == [{"team": "a=b", "kept": ""}, {"new": "1"}]
    refused = bucket.run("cp", "--tag", "team", "d/x", bucket.uri)
    assert (refused.code, "--tag is written as key=value" in refused.err) == (2, True)
    for option in ("--acl", "--tag"):
        refused = bucket.run("cp", option, "a=b", "d/x", "local")
        assert (refused.code, option[2:] in refused.err, (bucket.cwd / "local").exists()) == (1, True, False)


def test_wrong_credentials_are_a_line_with_the_next_step(bucket: Bucket) -> None:
    bucket.op.write("x", b"1")
    done = bucket.run("cat", f"{bucket.uri}x", AWS_SECRET_ACCESS_KEY="wrong")
    assert done.code == 4
    assert "check the credentials" in done.err
    missing = bucket.run("ls", "s3://no-such-bucket-here/")
    assert missing.code in (2, 3)
    refused = bucket.run("ls", "--retries", "0", bucket.uri, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert (refused.code, "try again" in refused.err) == (5, True)


@pytest.mark.parametrize("verb", [["cp", "-r"], ["sync"], ["mv", "-r"]])
def test_wrong_credentials_are_not_tried_on_each_file_of_a_tree(bucket: Bucket, verb: list[str]) -> None:
    (bucket.cwd / "up").mkdir()
    for number in range(100):
        (bucket.cwd / "up" / str(number)).touch()
    done = bucket.run(*verb, "up", f"{bucket.uri}d/", AWS_SECRET_ACCESS_KEY="wrong")
    *failures, untried, summary = done.err.splitlines() if verb != ["sync"] else [*done.err.splitlines(), "", ""]
    assert done.code == 4
    assert len(failures) < 24
    assert all("does not accept these credentials" in failure for failure in failures)
    if verb != ["sync"]:  # which lists the target first
        assert (
            untried
            == f"entrepot: {verb[0]}: {100 - len(failures)} more files were not tried: the credentials are refused"
        )
        assert summary.endswith(f"{len(failures)} failed")
    assert len(os.listdir(bucket.cwd / "up")) == 100  # noqa: PTH208
    assert bucket.content() == {}


@pytest.mark.parametrize("verb", ["cp", "mv"])
@pytest.mark.parametrize("has_wildcard", [True, False])
def test_wrong_credentials_are_not_tried_on_each_of_many_places(bucket: Bucket, verb: str, has_wildcard: bool) -> None:
    (bucket.cwd / "up").mkdir()
    names = [f"up/{number:02}" for number in range(30)]
    for name in names:
        (bucket.cwd / name).touch()
    sources = ["up/*"] if has_wildcard else names
    done = bucket.run(verb, *sources, f"{bucket.uri}d/", AWS_SECRET_ACCESS_KEY="wrong")
    *failures, untried = done.err.splitlines()
    assert (done.code, len(failures)) == (4, MOST)
    assert all("does not accept these credentials" in failure for failure in failures)
    assert untried == f"entrepot: {verb}: the other places were not tried: the credentials are refused"
    assert len(os.listdir(bucket.cwd / "up")) == 30  # noqa: PTH208


@pytest.mark.parametrize("verb", ["cat", "head"])
def test_wrong_credentials_are_not_tried_on_each_word(bucket: Bucket, verb: str) -> None:
    (bucket.cwd / "here").write_text("1\n2")
    words = [f"{bucket.uri}{number:02}" for number in range(12)]
    done = bucket.run(verb, *words, "here", *words, AWS_SECRET_ACCESS_KEY="wrong")
    *failures, last = done.err.splitlines()
    assert (done.code, len(failures)) == (4, MOST)
    assert last.endswith("the other places were not tried: the credentials are refused")
    assert "1" in done.out  # another storage is still tried


@pytest.mark.parametrize("has_wildcard", [True, False])
def test_wrong_credentials_are_not_tried_on_each_listing(bucket: Bucket, has_wildcard: bool) -> None:
    words = [f"{bucket.uri}{number:02}{'*' if has_wildcard else '/'}" for number in range(12)]
    done = bucket.run("ls", *words, AWS_SECRET_ACCESS_KEY="wrong")
    assert (done.code, len(done.err.splitlines())) == (4, MOST + 1)
    assert done.err.endswith("the other places were not tried: the credentials are refused\n")


def test_a_command_stops_where_a_tree_does() -> None:
    assert MOST == refusals.MOST


def test_ctrl_c_leaves_no_half_file_and_no_upload(bucket: Bucket) -> None:
    with bucket.started("cp", "-", f"{bucket.uri}half") as process:
        assert process.stdin is not None
        process.stdin.write(bytes(20 * MIB))  # more than a part, so that the upload has begun
        process.stdin.flush()
        wait_until(lambda: len(bucket.op.list_uploads("/")) == 1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (130, b"entrepot: cp: interrupted\n")
    assert bucket.op.list_uploads("/") == []
    assert bucket.content() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_right_after_the_first_leaves_no_upload(bucket: Bucket, number: signal.Signals) -> None:
    with bucket.started("cp", "-", f"{bucket.uri}half") as process:
        assert process.stdin is not None
        process.stdin.write(bytes(20 * MIB))
        process.stdin.flush()
        wait_until(lambda: len(bucket.op.list_uploads("/")) == 1)
        process.send_signal(number)
        time.sleep(0.002)  # while the upload is aborted
        process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert bucket.op.list_uploads("/") == []


def test_a_request_to_terminate_leaves_no_half_file(bucket: Bucket) -> None:
    bucket.op.write("big", bytes(64 * MIB))
    with bucket.started("cp", "--chunk", "1M", "--bandwidth", "4M", f"{bucket.uri}big", "local") as process:
        wait_until(lambda: len(os.listdir(bucket.cwd)) > 0)  # noqa: PTH208
        process.terminate()
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (143, b"entrepot: cp: terminated\n")
    assert os.listdir(bucket.cwd) == []  # noqa: PTH208


def test_an_interrupted_download_goes_on(bucket: Bucket) -> None:
    content = os.urandom(48 * MIB)
    bucket.op.write("big", content)
    with bucket.started(
        "cp", "--resume", "--chunk", "4M", "--bandwidth", "16M", f"{bucket.uri}big", "local"
    ) as process:
        wait_until(lambda: sum(path.stat().st_size for path in bucket.cwd.iterdir()) > 8 * MIB)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert bucket.run("cp", "--resume", f"{bucket.uri}big", "local").code == 0
    assert (bucket.cwd / "local").read_bytes() == content
    assert os.listdir(bucket.cwd) == ["local"]  # noqa: PTH208


def test_keys_are_named_as_they_are_and_a_whole_bucket_needs_force(bucket: Bucket) -> None:
    doubled = bucket.run("cp", "-", f"{bucket.uri}/a//b", given=b"1")
    assert doubled.lines == [f"copy: - to {bucket.uri}a/b"]
    (bucket.cwd / "bad").symlink_to("/nonexistent")
    assert bucket.run("cp", "-r", ".", bucket.uri).err.startswith("entrepot: cp: bad: a symbolic link")
    whole = bucket.run("rm", "-r", bucket.uri.partition("/")[0] + "//" + bucket.uri.split("/")[2])
    assert (whole.code, "with --force" in whole.err) == (2, True)
    assert bucket.content() == {"a/b": b"1"}


def test_uploads_get_a_media_type_by_their_names(bucket: Bucket) -> None:
    def type_of(key: str) -> str | None:
        return bucket.op.stat(key).content_type

    (bucket.cwd / "site").mkdir()
    for name in ("page.html", "style.css", "odd.unknown"):
        (bucket.cwd / "site" / name).write_text("x")
    assert bucket.run("sync", "site", bucket.uri).code == 0
    plain = type_of("odd.unknown")
    assert [type_of("page.html"), type_of("style.css")] == ["text/html", "text/css"]
    assert bucket.run("cp", f"{bucket.uri}page.html", f"{bucket.uri}copy.css").code == 0
    assert type_of("copy.css") == "text/html"  # the type of the source is kept
    assert bucket.run("cp", "--content-type", "text/x", "-", f"{bucket.uri}a.css", given=b"x").code == 0
    assert bucket.run("cp", "--no-guess-mime-type", "-", f"{bucket.uri}b.css", given=b"x").code == 0
    assert [type_of("a.css"), type_of("b.css")] == ["text/x", plain]


def test_a_key_with_dots_or_doubled_slashes_is_named_with_the_next_step(bucket: Bucket) -> None:
    (bucket.cwd / "f").write_text("x")
    dots = bucket.run("cp", "f", f"{bucket.uri}a/../x")
    assert dots.code == 1
    assert "the storage refuses the key a/../x (in a key . and .. are names" in dots.err.replace(
        bucket.uri.split("/", 3)[3], ""
    )
    doubled = bucket.run("cat", f"{bucket.uri}a//b")
    assert (doubled.code, "several slashes in a row are one" in doubled.err) == (3, True)
    assert doubled.err.startswith(f"entrepot: cat: {bucket.uri}a/b: ")


def test_wildcards_match_prefixes_as_directories(bucket: Bucket) -> None:
    for key in ("x1/a", "x2/in/b", "x3", "y/c"):
        bucket.op.write(key, b"1")
    uri = bucket.uri
    assert sorted(bucket.run("ls", f"{uri}x?").lines) == [f"{uri}x1/a", f"{uri}x2/in/", f"{uri}x3"]
    assert bucket.run("cp", "-r", f"{uri}x[12]", f"{uri}z/").code == 0
    assert bucket.run("rm", "-r", f"{uri}x?").code == 0
    assert set(bucket.content()) == {"y/c", "z/x1/a", "z/x2/in/b"}
