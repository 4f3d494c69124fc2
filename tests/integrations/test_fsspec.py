"""The file systems of fsspec over entrepot, beyond the suite that fsspec has for its implementations."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import urllib.request
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from entrepot import BlockingOperator, ConditionNotMatch, ConfigInvalid, InvalidInput, NotFound, Operator, Unsupported
from entrepot.layers import CapabilityOverrideLayer, ReadOnlyLayer
from entrepot.raw import Context
from entrepot.services import Fs, Memory
from entrepot.testing import Nginx, RecordingTransport, S3Server
from tests.conftest import http_storage, s3_config

fsspec = pytest.importorskip("fsspec")

from fsspec.callbacks import Callback  # noqa: E402

from entrepot.integrations.fsspec import EntrepotFileSystem, file_system_class, register  # noqa: E402
from entrepot.integrations.fsspec.other_file_systems import configuration_of  # noqa: E402

PYTHON = [sys.executable, "-W", "error", "-c"]


def s3_options(server: S3Server) -> dict[str, str]:
    return {
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }


@pytest.fixture
def fs(operator: Operator) -> EntrepotFileSystem:
    return EntrepotFileSystem(operator)


@pytest.fixture
def local() -> EntrepotFileSystem:
    return EntrepotFileSystem(Operator(Memory()))


# URLs and options


def test_urls_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for number, url in enumerate([f"entrepot+fs://{tmp_path}/0", "entrepot+file://a/../1", "entrepot+fs://~/2"]):
        with fsspec.open(url, "w") as file:
            file.write(str(number))
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"0": "0", "1": "1", "home/2": "2"}


def test_urls_of_s3_name_the_bucket(seaweedfs_server: S3Server) -> None:
    options, folder = s3_options(seaweedfs_server), f"{seaweedfs_server.bucket}/{os.getpid()}-urls"
    with fsspec.open(f"entrepot+s3://{folder}/a/b.txt", "wb", **options) as file:
        file.write(b"content")
    fs, path = fsspec.url_to_fs(f"entrepot+s3://{folder}/a", **options)
    assert (path, fs.ls(path, detail=False)) == (f"{folder}/a", [f"{folder}/a/b.txt"])
    assert fs.find(folder) == fs.glob(f"{folder}/*/b.*") == [f"{folder}/a/b.txt"]
    assert fs.unstrip_protocol(path) == f"entrepot+s3://{folder}/a"
    with urllib.request.urlopen(fs.sign(f"{folder}/a/b.txt", 60)) as response:
        assert response.read() == b"content"


def test_urls_of_http_are_paths(nginx_server: Nginx) -> None:
    storage = http_storage(nginx_server)
    storage.put("a b.txt", b"0123456789")
    url = f"entrepot+{storage.config.endpoint}/{storage.config.root.strip('/')}/a%20b.txt"
    with fsspec.open(url) as file:
        assert (file.read(2), file.seek(-2, 2), file.read()) == (b"01", 8, b"89")
    fs, path = fsspec.url_to_fs(url)
    assert fs.info(path)["name"] == url.removeprefix("entrepot+")
    assert fs.unstrip_protocol(path) == url
    assert not fs.exists(f"{path}x")
    with pytest.raises(InvalidInput):
        fs.cat(f"{path}?x=1")


def test_urls_of_memory_share_one_store() -> None:
    with fsspec.open("entrepot+memory://shared/a", "wb") as file:
        file.write(b"1")
    fs = fsspec.filesystem("entrepot+memory", skip_instance_cache=True)
    assert fs.cat("/shared/a") == b"1"
    fs.rm("/shared", recursive=True)
    assert not fs.exists("entrepot+memory://shared")


@pytest.mark.parametrize(
    ("scheme", "options", "message"),
    [
        ("s3", {"region": "r", "skip_signature": True, "bucket": "b"}, "part of each path"),
        ("s3", {"region": "r", "skip_signature": True, "root": "b"}, "part of each path"),
        ("s3", {"region": "r", "skip_signature": True, "bukket": "b"}, "did you mean 'bucket'"),
        ("s3", {"key": "only one", "region": "r"}, "ASCII text without blanks"),
        ("fs", {"root": "/data"}, "EntrepotFileSystem"),
        ("memory", {"colour": "red"}, "no key 'colour'"),
    ],
)
def test_options_that_cannot_work(scheme: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fsspec.filesystem(f"entrepot+{scheme}", **options)


def test_options_that_hugging_face_datasets_add_to_those_of_the_caller() -> None:
    fs = fsspec.filesystem("entrepot+fs", hf={"token": "hf_secret", "endpoint": "https://hf"})
    assert fs.exists("/")
    assert "hf_secret" not in fs.to_json(include_password=False)


def test_a_scheme_without_a_service_names_the_known_ones() -> None:
    with pytest.raises(ConfigInvalid, match=r"known ones are .*\bhttps, .*\bmemory, "):
        register("goose")


def test_without_fsspec_the_error_says_what_to_install() -> None:
    program = "import sys; sys.modules['fsspec'] = None; import entrepot.integrations.fsspec"
    done = subprocess.run([*PYTHON, program], capture_output=True, text=True, timeout=30)
    assert 'pip install "entrepot[fsspec]"' in done.stderr.splitlines()[-1]


def test_importing_entrepot_imports_no_integration() -> None:
    program = "import sys, entrepot; print([name for name in sys.modules if 'integrations' in name])"
    assert subprocess.run([*PYTHON, program], capture_output=True, text=True, timeout=30).stdout == "[]\n"


def test_register_takes_over_protocols(tmp_path: Path) -> None:
    program = f"""
import fsspec
from entrepot.integrations.fsspec import ServiceFileSystem, register
register()
for url in ("s3://b/k", "file:///tmp", "local:///tmp", "memory://x", "http://h/x", "https://h/x"):
    fs, path = fsspec.url_to_fs(url, **({{"anon": True, "region": "r"}} if url.startswith("s3") else {{}}))
    assert isinstance(fs, ServiceFileSystem), url
    print(path)
with fsspec.open("file://{tmp_path}/a/b", "wb") as file:
    file.write(b"1")
"""
    done = subprocess.run([*PYTHON, program], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["b/k", "/tmp", "/tmp", "/x", "http://h/x", "https://h/x"], done.stderr
    assert (tmp_path / "a" / "b").read_bytes() == b"1"


def test_options_of_s3fs_work(seaweedfs_server: S3Server) -> None:
    fs = fsspec.filesystem(
        "entrepot+s3",
        key=seaweedfs_server.access_key_id,
        secret=seaweedfs_server.secret_access_key,
        client_kwargs={"endpoint_url": seaweedfs_server.endpoint, "region_name": seaweedfs_server.region},
    )
    assert fs.isdir(seaweedfs_server.bucket)
    assert fs.to_json() == fsspec.AbstractFileSystem.from_json(fs.to_json()).to_json()
    shown = fs.to_json(include_password=False)
    assert seaweedfs_server.secret_access_key not in shown
    assert seaweedfs_server.region in shown


def test_more_options_of_s3fs_work(seaweedfs_server: S3Server) -> None:
    server = seaweedfs_server
    client = {"endpoint_url": server.endpoint, "region_name": server.region, "verify": False, "use_ssl": False}
    fs = fsspec.filesystem(
        "entrepot+s3",
        key=server.access_key_id,
        secret=server.secret_access_key,
        token=None,
        client_kwargs=client,
        config_kwargs={"s3": {"addressing_style": "path"}, "connect_timeout": 9, "retries": {"max_attempts": 2}},
        s3_additional_kwargs={"StorageClass": "STANDARD"},
        requester_pays=True,
        default_block_size=1 << 20,
        default_cache_type="none",
        default_fill_cache=False,
        auto_mkdir=True,
        cache_regions=True,
    )
    path = f"{server.bucket}/{os.getpid()}-options"
    fs.pipe_file(path, b"content", ContentType="text/plain", chunksize=5 << 20, max_concurrency=2)
    with fs.open(path, requester_pays=False) as file:
        assert (file.read(), file.blocksize, file.cache.name) == (b"content", 1 << 20, "none")
    with fs.open(path, "wb", acl="private", Metadata={"a": "b"}) as file:
        file.write(b"other")
    assert fs.info(path)["user_metadata"] == {"a": "b"}


def test_a_version_is_read_by_the_name_that_s3fs_has_for_it(seaweedfs_server: S3Server) -> None:
    fs = fsspec.filesystem("entrepot+s3", **s3_options(seaweedfs_server))
    path = f"{seaweedfs_server.versioned_bucket()}/{os.getpid()}-version"
    fs.pipe_file(path, b"the first content")
    first = fs.info(path)["version"]
    fs.pipe_file(path, b"second")
    assert (fs.info(path, version_id=first)["size"], fs.info(path)["size"]) == (17, 6)
    assert fs.exists(path, version_id=first)
    with fs.open(path, version_id=first) as file:
        assert (file.size, file.read()) == (17, b"the first content")
    with fs.open(path) as file:
        assert file.read() == b"second"
    assert fs.cat_file(path, 4, -8, version_id=first) == b"first"
    assert fs.cat_ranges([path], [4], [-8], on_error="raise", version_id=first) == [b"first"]
    fs.get_file(path, into := io.BytesIO(), version_id=first)
    assert into.getvalue() == b"the first content"


def test_an_asynchronous_file_of_a_version_has_its_size(seaweedfs_server: S3Server) -> None:
    path = f"{seaweedfs_server.versioned_bucket()}/{os.getpid()}-streamed"

    async def last_word() -> bytes:
        fs = fsspec.filesystem("entrepot+s3", asynchronous=True, **s3_options(seaweedfs_server))
        await fs._pipe_file(path, b"the first content")
        first = (await fs._info(path))["version"]
        await fs._pipe_file(path, b"second")
        async with await fs.open_async(path, version_id=first) as file:
            file.seek(-7, os.SEEK_END)
            return bytes(await file.read())

    assert asyncio.run(last_word()) == b"content"


@pytest.mark.parametrize(
    ("scheme", "options", "expected"),
    [
        ("s3", {"client_kwargs": {"verify": "/ca.pem"}, "use_ssl": True}, {"ca_file": "/ca.pem"}),
        ("s3", {"client_kwargs": {"verify": True}}, {}),
        ("s3", {"client_kwargs": {"region_name": "a"}, "region_name": "b"}, {"region": "b"}),
        ("s3", {"client_kwargs": None, "config_kwargs": None, "endpoint_url": None, "session": None}, {}),
        ("s3", {"config_kwargs": {"signature_version": object()}}, {"skip_signature": True}),
        ("s3", {"config_kwargs": {"signature_version": "s3v4", "read_timeout": 3}}, {"read_timeout": 3}),
        (
            "s3",
            {"config_kwargs": {"s3": {"addressing_style": "virtual", "use_accelerate_endpoint": True}}},
            {"enable_virtual_host_style": True, "use_accelerate_endpoint": True},
        ),
        ("s3", {"s3_additional_kwargs": {"RequestPayer": "requester"}}, {"enable_request_payer": True}),
        (
            "s3",
            {"s3_additional_kwargs": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k", "ACL": "private"}},
            {
                "server_side_encryption": "aws:kms",
                "server_side_encryption_aws_kms_key_id": "k",
                "default_acl": "private",
            },
        ),
        ("s3", {"fixed_upload_size": True, "version_aware": False}, {"equal_parts": True}),
        ("gcs", {"token": "anon", "project": "p", "consistency": "md5"}, {"skip_signature": True}),
        ("gcs", {"token": "google_default", "check_connection": True}, {}),
        ("gcs", {"token": "/key.json", "requests_timeout": 5}, {"credential_path": "/key.json", "idle_timeout": 5}),
        ("gcs", {"token": {"type": "x"}}, {"credential": '{"type": "x"}'}),
        ("gcs", {"token": "ya29", "requester_pays": False}, {"token": "ya29"}),
        ("gcs", {"access": "read_only"}, {"scope": "https://www.googleapis.com/auth/devstorage.read_only"}),
        ("azblob", {"socket_timeout": 5, "location_mode": "primary"}, {"idle_timeout": 5}),
        ("azdls", {"connection_timeout": 5, "assume_container_exists": True}, {"connect_timeout": 5}),
        ("fs", {"auto_mkdir": True}, {}),
    ],
)
def test_options_of_other_file_systems_mean_configuration_values(
    scheme: str, options: dict[str, object], expected: dict[str, object]
) -> None:
    assert configuration_of(scheme, options) == expected


@pytest.mark.parametrize(
    ("scheme", "options", "message"),
    [
        ("s3", {"version_aware": True}, "version_aware has no effect here: give version="),
        ("s3", {"session": object()}, "profile"),
        ("s3", {"client_kwargs": {"config": object()}}, "give config_kwargs"),
        ("s3", {"config_kwargs": {"signature_version": "s3"}}, "signature_version is s3v4"),
        ("s3", {"config_kwargs": {"s3": {"addressing_style": "pathy"}}}, "path, virtual or auto"),
        ("s3", {"s3_additional_kwargs": {"SSECustomerKey": "secret"}}, "cannot have SSECustomerKey; it can have ACL, "),
        ("gcs", {"token": "browser"}, "log in by gcloud"),
        ("gcs", {"requester_pays": True}, "no project can be billed"),
        ("gcs", {"session_kwargs": {"trust_env": True}}, "give proxy="),
    ],
)
def test_options_of_other_file_systems_without_a_counterpart(
    scheme: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        fsspec.filesystem(f"entrepot+{scheme}", **options)


# Looking


def test_what_is_there(fs: EntrepotFileSystem) -> None:
    fs.pipe({"d/a": b"1", "d/e/b": b"22", "d/e/f/c": b"333", "dx": b"4"})
    assert fs.ls("d", detail=False) == ["d/a", "d/e"]
    assert fs.ls("d/a", detail=False) == ["d/a"]
    assert fs.find("d") == ["d/a", "d/e/b", "d/e/f/c"]
    assert fs.find("d", maxdepth=1) == ["d/a"]
    assert fs.find("d", withdirs=True) == ["d", "d/a", "d/e", "d/e/b", "d/e/f", "d/e/f/c"]
    assert fs.find("d/a") == ["d/a"]
    assert fs.find("nowhere") == []
    assert fs.glob("d/**/c") == ["d/e/f/c"]
    assert sorted(fs.glob("d*")) == ["d", "dx"]
    assert fs.du("d") == 6
    assert [fs.isdir(path) for path in ("", "d", "d/e/", "d/a", "nowhere")] == [True, True, True, False, False]
    assert [fs.isfile(path) for path in ("d/a", "d", "nowhere")] == [True, False, False]
    info = fs.info("d/e/b")
    assert (info["name"], info["type"], info["size"]) == ("d/e/b", "file", 2)
    assert info["mtime"].tzinfo is UTC
    assert fs.modified("d/e/b") == info["mtime"]
    assert fs.checksum("d/e/b") == fs.checksum("d/e/b") != fs.checksum("d/a")
    with pytest.raises(FileNotFoundError):
        fs.ls("nowhere")


def test_other_errors_than_absence_are_raised(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    fs = EntrepotFileSystem(Operator(Fs(tmp_path)).layer(ReadOnlyLayer()))
    with pytest.raises(Unsupported):
        fs.pipe("a", b"1")
    if os.getuid():
        with pytest.raises(PermissionError):
            fs.exists("shut/a")


def test_listings_are_cached_only_if_asked() -> None:
    operator = Operator(Memory())
    fresh, cached = EntrepotFileSystem(operator), EntrepotFileSystem(operator, use_listings_cache=True)
    fresh.pipe("d/a", b"1")
    assert fresh.ls("d", detail=False) == cached.ls("d", detail=False) == ["d/a"]
    fresh.pipe("d/b", b"1")
    assert fresh.ls("d", detail=False) == ["d/a", "d/b"]
    assert cached.ls("d", detail=False) == ["d/a"]
    fresh.pipe("d/a", b"longer")
    assert (fresh.info("d/a")["size"], cached.info("d/a")["size"], cached.exists("d/b")) == (6, 1, True)
    assert cached.info("d/a", refresh=True)["size"] == 6
    assert cached.exists("d/a", refresh=True)
    assert cached.ls("d", detail=False, refresh=True) == ["d/a", "d/b"]
    assert cached.info("d/a")["size"] == 6
    cached.pipe("d/c", b"1")
    assert cached.ls("", detail=False) == ["d"]
    assert cached.ls("d", detail=False) == cached.glob("d/*") == ["d/a", "d/b", "d/c"]
    assert cached.ls("d/c", detail=False) == ["d/c"]
    cached.pipe("d/e/f", b"1")
    assert cached.ls("d/e", detail=False) == ["d/e/f"]
    cached.rm("d/e", recursive=True)
    assert not cached.exists("d/e/f")
    with pytest.raises(FileNotFoundError):
        cached.ls("d/e")
    cached.rm("d/c")
    assert cached.ls("d", detail=False) == ["d/a", "d/b"]
    cached.rm("/", recursive=True)
    assert not cached.exists("d/a")


def test_what_changes_one_file_does_not_look_through_all_cached_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = EntrepotFileSystem(Operator(Memory()), use_listings_cache=True)
    cached.pipe({"d/a": b"1", "d/b": b"2", "e/f": b"3"})
    assert (cached.ls("d", detail=False), cached.ls("e", detail=False)) == (["d/a", "d/b"], ["e/f"])
    with monkeypatch.context() as patched:
        patched.setattr(type(cached.dircache), "__iter__", None)
        cached.rm(["d/a"])
        cached.rm("d/b")
        cached.copy("e/f", "d/c")
        cached.mv("e/f", "d/f")
    assert cached.ls("d", detail=False) == ["d/c", "d/f"]
    with pytest.raises(FileNotFoundError):
        cached.ls("e")


# Reading

RANGES = [
    (None, None, b"0123456789"),
    (2, 4, b"23"),
    (2, None, b"23456789"),
    (-3, None, b"789"),
    (-3, -1, b"78"),
    (1, -8, b"1"),
    (None, -8, b"01"),
    (-99, 2, b"01"),
    (4, 2, b""),
    (8, 99, b"89"),
    (99, None, b""),
]


def test_ranges_of_a_file(fs: EntrepotFileSystem) -> None:
    fs.pipe("a", b"0123456789")
    starts, ends, contents = zip(*RANGES, strict=True)
    assert [fs.cat_file("a", start, end) for start, end in zip(starts, ends, strict=True)] == [*contents]
    assert fs.cat_ranges(["a"] * len(starts), list(starts), list(ends)) == [*contents]
    first, missing = fs.cat_ranges(["a", "b"], 0, 1)
    assert (first, type(missing)) == (b"0", NotFound)
    with pytest.raises(NotFound):
        fs.cat_ranges(["a", "b"], 0, 1, on_error="raise")
    assert fs.cat(PurePosixPath("a")) == b"0123456789"
    fs.pipe("d/e", b"1")
    with pytest.raises(IsADirectoryError):
        fs.cat_file("d", -3, -1)
    assert isinstance(fs.cat_ranges(["d"], -3, -1)[0], IsADirectoryError)


def test_paths_of_pathlib_are_taken_by_calls_that_fsspec_itself_gives_text_alone(local: EntrepotFileSystem) -> None:
    local.pipe(PurePosixPath("d/e/a"), b"1")
    assert local.cat(PurePosixPath("d"), recursive=True) == {"d/e/a": b"1"}
    assert local.glob(PurePosixPath("d/*")) == ["d/e"]
    local.copy(PurePosixPath("d"), PurePosixPath("f"), recursive=True)
    local.mv(PurePosixPath("f/e/a"), PurePosixPath("g"))
    local.rm(PurePosixPath("d"), recursive=True)
    assert local.find("") == ["g"]


def recorded(server: S3Server) -> tuple[EntrepotFileSystem, RecordingTransport]:
    transport = RecordingTransport()
    return EntrepotFileSystem(Operator(s3_config(server), context=Context(http=transport))), transport


def test_near_ranges_share_a_request(seaweedfs_server: S3Server) -> None:
    fs, transport = recorded(seaweedfs_server)
    fs.pipe("a", bytes(100_000))
    for max_gap, requests in [(None, 1), (10_000, 1), (100, 2)]:
        transport.forget()
        assert fs.cat_ranges(["a"] * 3, [0, 100, 9_000], [50, 200, 9_001], max_gap=max_gap) == [
            bytes(50),
            bytes(100),
            b"\0",
        ]
        assert len(transport.requests) == requests


def test_random_reads_fetch_what_is_read_and_sequential_ones_ahead(seaweedfs_server: S3Server) -> None:
    fs, transport = recorded(seaweedfs_server)
    content = os.urandom(9_000_000)
    fs.pipe("a", content)
    transport.forget()
    with fs.open("a") as file:
        for place in range(3_900_000, 0, -200_000):
            file.seek(place)
            assert file.read(1000) == content[place : place + 1000]
        assert transport.bytes_received == 20_000
        transport.forget()
        file.seek(0)
        assert b"".join(iter(lambda: file.read(8192), b"")) == content
        assert transport.bytes_received == len(content)
        assert len(transport.requests) < 10


def test_random_reads_of_a_small_file_fetch_it_whole_after_some_requests(seaweedfs_server: S3Server) -> None:
    fs, transport = recorded(seaweedfs_server)
    content = os.urandom(1_500_000)
    fs.pipe("a", content)
    transport.forget()
    with fs.open("a") as file:
        for place in range(1_400_000, 0, -10_000):
            file.seek(place)
            assert file.read(1000) == content[place : place + 1000]
    assert [request.method for request in transport.requests] == ["HEAD", "GET", "GET", "GET"]
    assert transport.bytes_received == len(content) + 2_000


def blocking(fs: EntrepotFileSystem) -> BlockingOperator:
    return fs.located("").operator.blocking()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_text_file_of_the_operator_begins_with_a_byte_order_mark(local: EntrepotFileSystem, encoding: str) -> None:
    with blocking(local).open("a", "w", encoding=encoding) as file:
        file.write("ä\n")
        file.flush()
        file.write("b")
    assert local.cat("a") == "ä\nb".encode(encoding)


@pytest.mark.parametrize("mode", ["wb", "xb", "ab"])
def test_a_file_that_writes_does_not_say_that_it_can_seek(local: EntrepotFileSystem, mode: str) -> None:
    """Others act on it: boto3 downloads the parts of a large object in any order then."""
    for file in (local.open(f"of fsspec {mode}", mode), blocking(local).open(f"of the operator {mode}", mode)):
        with file:
            assert not file.seekable()
            with pytest.raises(OSError, match=r"[Ss]eek"):
                file.seek(0)
            file.write(b"1")


@pytest.mark.parametrize("compression", [None, "gzip", "bz2", "xz"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_text_begins_with_a_byte_order_mark(local: EntrepotFileSystem, encoding: str, compression: str | None) -> None:
    with local.open("a", "w", encoding=encoding, compression=compression) as file:
        file.write("ä\n")
        file.write("b")
    with local.open("a", "rb", compression=compression) as file:
        assert file.read() == "ä\nb".encode(encoding)
    with local.open("a", "r", encoding=encoding, compression=compression) as file:
        assert file.read() == "ä\nb"


def test_lines_and_text(fs: EntrepotFileSystem) -> None:
    fs.write_text("a", "first\nsecond, ä\nlast", encoding="utf-8")
    with fs.open("a") as file:
        assert (file.readline(), file.readlines()) == (b"first\n", ["second, ä\n".encode(), b"last"])
    with fs.open("a", "r", encoding="utf-8") as file:
        assert [*file] == ["first\n", "second, ä\n", "last"]
    with fs.open("a") as file:
        assert [file.readline(3), file.readline(None), file.readline(0), file.readlines(1)] == [
            *(b"fir", b"st\n", b""),
            ["second, ä\n".encode()],
        ]
        assert [file.readlines(), file.readlines(), file.readline()] == [[b"last"], [], b""]


def test_a_file_that_is_replaced_while_it_is_read(fs: EntrepotFileSystem) -> None:
    fs.pipe("a", b"1" * 1000)
    with fs.open("a") as file:
        assert file.read(10) == b"1" * 10
        fs.pipe("a", b"2" * 1000)
        file.seek(500)
        with pytest.raises(ConditionNotMatch):
            file.read(10)


def test_files_that_cannot_be_opened(fs: EntrepotFileSystem) -> None:
    fs.pipe("d/a", b"1")
    with pytest.raises(FileNotFoundError):
        fs.open("nowhere")
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        fs.open("d")
    for mode in ("rb+", "q", "b"):
        with pytest.raises(ValueError, match="modes"):
            fs.open("d/a", mode if "b" in mode else f"{mode}b")
    with fs.open("d/a") as file, pytest.raises(ValueError, match="write mode"):
        file.write(b"1")


def test_a_file_pickles_with_its_position(tmp_path: Path) -> None:
    fs = EntrepotFileSystem(Operator(Fs(tmp_path)))
    fs.pipe("a", b"0123456789")
    with fs.open("a") as file:
        file.seek(4)
        with pickle.loads(pickle.dumps(file)) as copy:
            assert copy.read() == b"456789"


# Writing


def test_append(fs: EntrepotFileSystem) -> None:
    for number in range(3):
        with fs.open("a", "ab") as file:
            assert file.tell() == number
            file.write(b"%d" % number)
            assert file.tell() == number + 1
    with fs.open("a", "a") as text:
        assert text.tell() == 3
        text.write("3")
        assert text.tell() == 4
    assert fs.cat("a") == b"0123"


OPENINGS = {
    "binary": lambda fs: fs.open("a", "wb"),
    "text": lambda fs: fs.open("a", "w"),
    "text of the caller": lambda fs: io.TextIOWrapper(fs.open("a", "wb")),
    "gzip": lambda fs: fs.open("a", "wb", compression="gzip"),
    "text, gzip": lambda fs: fs.open("a", "w", compression="gzip"),
    "OpenFile": lambda fs: fsspec.core.OpenFile(fs, "a", "wb"),
    "OpenFile, text": lambda fs: fsspec.core.OpenFile(fs, "a", "w"),
    "OpenFile, gzip": lambda fs: fsspec.core.OpenFile(fs, "a", "wb", compression="gzip"),
    "in parts": lambda fs: fs.open("a", "wb", block_size=2),
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_block_that_fails_publishes_nothing(local: EntrepotFileSystem, opening: str) -> None:
    is_text = "text" in opening
    with pytest.raises(ZeroDivisionError), OPENINGS[opening](local) as file:
        file.write("half" if is_text else b"half")
        raise ZeroDivisionError
    assert local.ls("") == []
    with OPENINGS[opening](local) as file:
        file.write("whole" if is_text else b"whole")
    content = local.cat("a")
    assert (gzip.decompress(content) if "gzip" in opening else content) == b"whole"


def test_a_close_in_a_handler_publishes(local: EntrepotFileSystem) -> None:
    file = local.open("a", "wb")
    file.write(b"1")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        file.close()
    assert local.cat("a") == b"1"


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_about_an_error_is_published(local: EntrepotFileSystem, opening: str) -> None:
    class Reported:
        def __enter__(self) -> None:
            pass

        def __exit__(self, *exc: object) -> None:
            with OPENINGS[opening](local) as file:
                write(file, "1")

    def write(file: Any, content: str) -> None:
        file.write(content if "text" in opening else content.encode())

    def content() -> bytes:
        return gzip.decompress(local.cat("a")) if "gzip" in opening else local.cat("a")

    with pytest.raises(ZeroDivisionError), Reported():
        raise ZeroDivisionError
    assert content() == b"1"
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        with OPENINGS[opening](local) as file:
            write(file, "2")
    assert content() == b"2"


def test_a_file_that_another_closes_in_its_exit_is_judged_by_its_own_block(local: EntrepotFileSystem) -> None:
    class Log:
        def __enter__(self) -> None:
            self.file = local.open("log", "wb")

        def __exit__(self, *exc: object) -> None:
            with self.file as file:
                file.write(b"failed")

    with pytest.raises(ZeroDivisionError), Log():
        raise ZeroDivisionError
    assert local.cat("log") == b"failed"


@pytest.mark.parametrize("is_in_cycle", [False, True])
@pytest.mark.parametrize("compression", [None, "bz2", "gzip", "xz", "zstd"])
@pytest.mark.parametrize("mode", ["w", "wb"])
def test_a_file_around_another_that_is_lost_publishes_nothing(
    local: EntrepotFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    compression: str | None,
    is_in_cycle: bool,
) -> None:
    """Python 3.13 reports errors of these files, earlier versions do with `-X dev`: there are none."""
    failures = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: failures.append(unraisable.exc_value))
    file = local.open("a", mode, compression=compression)
    file.write("1" if mode == "w" else b"1")
    holder = [file]
    if is_in_cycle:
        holder.append(holder)
    with pytest.warns(RuntimeWarning, match="was not closed"):
        del file, holder
        gc.collect()
    assert (failures, local.ls("")) == ([], [])


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_file_that_is_held_has_what_lost_files_around_it_wrote(
    local: EntrepotFileSystem, compression: str | None
) -> None:
    with local.open("a", "wb", compression=compression, block_size=1) as file:
        json.dump([1], io.TextIOWrapper(file))
        json.dump([2], io.TextIOWrapper(file))
        file.write(b"3")
    with local.transaction, local.open("b", "wb", compression=compression) as file:
        json.dump([1], io.TextIOWrapper(file))
    for path, content in {"a": b"[1][2]3", "b": b"[1]"}.items():
        with local.open(path, compression=compression) as file:
            assert file.read() == content


def test_a_transaction_publishes_no_file_that_was_not_closed(local: EntrepotFileSystem) -> None:
    with pytest.warns(RuntimeWarning, match="was not closed"), local.transaction:
        file = local.open("a", "wb", block_size=1)
        file.write(b"1")
        local.open("b", "w").write("1")
    assert local.ls("") == []
    assert file.closed


def test_a_file_that_is_lost_publishes_nothing_and_warns(local: EntrepotFileSystem) -> None:
    file = local.open("a", "wb", block_size=1)
    file.write(b"1")
    with pytest.warns(RuntimeWarning, match="was not closed"):
        del file
    assert not local.exists("a")


def test_options_of_a_write(fs: EntrepotFileSystem) -> None:
    options = {"user_metadata": {"colour": "red"}}
    with fs.open("a", "wb", **options) as file:
        file.write(b"1")
    fs.pipe("b", b"1", **options)
    assert fs.info("a")["user_metadata"] == fs.info("b")["user_metadata"] == {"colour": "red"}
    with pytest.raises(TypeError, match="no option 'color'"):
        fs.pipe("a", b"1", color="red")
    with pytest.raises(ValueError, match="overwrite, create"):
        fs.pipe("a", b"1", mode="replace")


def test_transactions(fs: EntrepotFileSystem, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"3")

    def write() -> None:
        fs.pipe("d/a", b"1")
        with fs.open("d/b", "wb") as file:
            file.write(b"2")
        fs.put_file(str(tmp_path / "source"), "d/c")
        assert fs.find("d") == []

    with pytest.raises(ZeroDivisionError), fs.transaction:
        write()
        raise ZeroDivisionError
    assert fs.find("d") == []
    with fs.transaction:
        write()
    assert fs.cat("d", recursive=True) == {"d/a": b"1", "d/b": b"2", "d/c": b"3"}


class Progress(Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def call(self, *_: object, **__: object) -> None:
        self.seen.append((self.value, self.size))


def test_transfers_report_their_bytes(fs: EntrepotFileSystem, tmp_path: Path) -> None:
    size = 5_000_000
    (tmp_path / "source").write_bytes(bytes(size))
    for transfer in [
        lambda callback: fs.put_file(str(tmp_path / "source"), "a", callback=callback),
        lambda callback: fs.get_file("a", str(tmp_path / "new" / "target"), callback=callback),
        lambda callback: fs.get_file("a", io.BytesIO(), callback=callback),
    ]:
        progress = Progress()
        transfer(progress)
        assert progress.seen[0] == (0, size)
        assert progress.seen[-1] == (size, size)
        assert len(progress.seen) > 2
    assert (tmp_path / "new" / "target").stat().st_size == size


@pytest.mark.parametrize("moved", ["a", ["a"], "a*"])
def test_a_directory_with_a_name_that_no_path_can_have_is_not_moved(tmp_path: Path, moved: str | list[str]) -> None:
    """The file would not be listed, so not be copied, and be deleted with the directory."""
    name = os.fsencode(tmp_path / "a") + b"/\xff"
    (tmp_path / "a").mkdir()
    Path(os.fsdecode(name)).write_bytes(b"kept")
    fs = EntrepotFileSystem(Operator(Fs(tmp_path)))
    with pytest.raises(Unsupported, match="cannot be in a path"):
        fs.mv(moved, "b/", recursive=True)
    assert Path(os.fsdecode(name)).read_bytes() == b"kept"


def test_moves_and_deletions(fs: EntrepotFileSystem) -> None:
    fs.pipe({"d/a": b"1", "d/e/b": b"2"})
    fs.mv("d/a", "x")
    fs.mv("d", "y", recursive=True)
    assert fs.find("") == ["x", "y/e/b"]
    for target in ("y/new", "y/e", "y/"):  # the move would end with the deletion of what it has moved
        with pytest.raises(ValueError, match="into itself"):
            fs.mv("y", target, recursive=True)
    for pattern in ("*", "y/*", "**", "[xy]"):
        with pytest.raises(ValueError, match="moved into"):
            fs.mv(pattern, "y/new/", recursive=True)
    assert fs.find("") == ["x", "y/e/b"]
    with pytest.raises(IsADirectoryError):
        fs.rm("y")
    with pytest.raises(FileNotFoundError):
        fs.rm("nowhere")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("y")
    fs.rm("y", recursive=True)
    fs.pipe({"f/1": b"", "f/2": b"", "f/3": b"", "f/x": b""})
    fs.rm(["f/1", "f/2"])
    fs.rm("f/[0-9]")
    assert fs.find("f") == ["f/x"]
    fs.pipe({"g/1": b"", "g/h/2": b"", "g/h/i/3": b""})
    with pytest.raises(IsADirectoryError):
        fs.rm("g", maxdepth=1)
    for missing in ("g/x*", "nowhere"):
        for options in ({}, {"recursive": True}, {"recursive": True, "maxdepth": 1}):
            with pytest.raises(FileNotFoundError):
                fs.rm(missing, **options)
    fs.rm("g/*", recursive=True, maxdepth=2)
    assert fs.find("g") == ["g/h/i/3"]
    fs.mkdir("empty")
    with pytest.raises(FileExistsError):
        fs.mkdir("empty")
    fs.makedirs("empty", exist_ok=True)
    fs.rmdir("empty")
    assert not fs.exists("empty")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("no/parent", create_parents=False)


@pytest.mark.parametrize(
    ("source", "target", "copies"),
    [
        ("a", "e/", ["e/a"]),
        ("a", "e", ["e/a"]),
        ("a", "new/", ["new/a"]),
        ("a", "new", ["new"]),
        ("[a]", "new", ["new/a"]),
        ("d", "e", ["e/d/b"]),
        ("d", "e/", ["e/d/b"]),
        ("d/", "e/", ["e/b"]),
        ("d", "new", ["new/b"]),
        (["a", "d/b"], "e", ["e/a", "e/b"]),
    ],
)
def test_names_at_the_root_are_kept_in_a_directory(
    tmp_path: Path, source: str | list[str], target: str, copies: list[str]
) -> None:
    """They are the only ones without a slash, in which fsspec itself finds no name to keep."""
    content = {"a": b"1", "d/b": b"2", "e/c": b"3"}
    recursive = source in ("d", "d/")
    (tmp_path / "e").mkdir()
    got, copied, moved = (EntrepotFileSystem(Operator(Memory())) for _ in range(3))
    for fs in (got, copied, moved):
        fs.pipe(content)
    got.get(source, f"{tmp_path}/{target}", recursive=recursive)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == copies
    copied.copy(source, target, recursive=recursive)
    assert copied.find("") == sorted([*content, *copies])
    moved.mv(source, target, recursive=recursive)
    assert set(copies) < set(moved.find(""))
    assert len(moved.find("")) == len(content)


def test_each_source_has_a_target(local: EntrepotFileSystem, tmp_path: Path) -> None:
    """fsspec itself would leave out the rest of the longer list, and `mv` delete it."""
    local.pipe({"a": b"1", "b": b"2"})
    for call in (local.mv, local.copy, local.get):
        for paths in (["a", "b"], "[ab]"):
            with pytest.raises(InvalidInput, match="2 sources and 1 targets"):
                call(paths, [str(tmp_path / "x")])
    with pytest.raises(InvalidInput, match="1 sources and 2 targets"):
        local.put([str(tmp_path)], ["x", "y"])
    assert local.find("") == ["a", "b"]


def test_sources_and_targets_in_a_tuple_keep_their_order(local: EntrepotFileSystem, tmp_path: Path) -> None:
    """fsspec itself would sort the sources, and copy each to the target of another."""
    local.pipe({"b": b"1", "a": b"2"})
    local.copy(("b", "a"), ["x", "y"])
    local.mv(["b", "a"], ("v", "w"))
    assert [local.cat(path) for path in "xyvw"] == [b"1", b"2", b"1", b"2"]
    targets = (tmp_path / "z", tmp_path / "y")
    local.get(("x", PurePosixPath("y")), targets)
    assert [target.read_bytes() for target in targets] == [b"1", b"2"]
    local.put(targets, ("p", "q"))
    local.put(targets[0], "r")
    assert [local.cat(path) for path in "pqr"] == [b"1", b"2", b"1"]


@pytest.mark.parametrize("operator", ["memory", "fs", "moto"], indirect=True)
def test_a_move_deletes_what_it_has_moved_and_nothing_else(fs: EntrepotFileSystem) -> None:
    content = {"d/1": b"1", "d/e/2": b"2", "d/e/e/2": b"3", "x/2": b"4"}
    fs.pipe(content)
    for paths, target, options, message in [
        (["d/e/2", "x/2"], "z/", {}, "to the same path"),
        ("d/e/", "d", {"recursive": True}, "before it is moved"),
        (["d/1", "d/e/2"], ["d/e/2", "z"], {}, "before it is moved"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            fs.mv(paths, target, **options)
    for nothing in ("d", "d/e/e*"):
        with pytest.raises(IsADirectoryError, match="recursive=True"):
            fs.mv(nothing, "z")
    for target, options in (("z", {}), (["z"], {}), (["z"], {"recursive": True})):
        with pytest.raises(IsADirectoryError, match="to one path"):
            fs.mv(["d"], target, **options)
    for missing in ("nowhere", "n*"):
        with pytest.raises(FileNotFoundError):
            fs.mv(missing, "z")
    assert fs.cat(fs.find("")) == content
    fs.mv("d", "y", recursive=True, maxdepth=1)
    assert fs.find("") == ["d/e/2", "d/e/e/2", "x/2", "y/1"]
    fs.mv("d/e/*", "y/")
    assert fs.find("") == ["d/e/e/2", "x/2", "y/1", "y/2"]


async def test_a_move_leaves_what_another_program_adds_or_changes() -> None:
    class Interrupted(EntrepotFileSystem):
        late: dict[str, bytes]

        async def _cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
            await super()._cp_file(path1, path2, **kwargs)
            await self._pipe(self.late)

    fs = Interrupted(Operator(Memory()), asynchronous=True, use_listings_cache=True)
    fs.late = {"d/late": b"late"}
    await fs._pipe({"d/1": b"1", "d/e/2": b"2"})
    await fs._mv("d", "y", recursive=True)
    assert await fs._find("") == ["d/late", "y/1", "y/e/2"]
    await fs._ls("y")
    fs.late = {"y/1": b"late"}
    with pytest.raises(ConditionNotMatch, match="changed after it was copied"):
        await fs._mv("y", "z", recursive=True)
    assert await fs._find("") == ["d/late", "y/1", "z/1", "z/e/2"]
    assert await fs._cat_file("y/1") == b"late"


async def test_a_move_of_one_file_leaves_it_where_it_is_changed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Operator.copy_to

    async def copied_and_changed(operator: Operator, target: Operator, *paths: str) -> None:
        await copy(operator, target, *paths)
        await operator.write("1", b"late")

    monkeypatch.setattr(Operator, "copy_to", copied_and_changed)
    fs = EntrepotFileSystem(
        Operator(Memory()).layer(CapabilityOverrideLayer(copy=False, rename=False)), asynchronous=True
    )
    await fs._pipe_file("1", b"1")
    with pytest.raises(ConditionNotMatch, match="changed after it was copied"):
        await fs._mv("1", "2")
    assert [await fs._cat_file(path) for path in "12"] == [b"late", b"1"]


def test_a_listed_name_does_not_lead_out_of_the_target(local: EntrepotFileSystem, tmp_path: Path) -> None:
    local.pipe("d/../../outside", b"1")
    with pytest.raises(ValueError, match="leads out of the target"):
        local.get("d/", str(tmp_path / "target"), recursive=True)
    assert [*tmp_path.iterdir()] == []


def test_copies_between_buckets(seaweedfs_server: S3Server) -> None:
    fs = fsspec.filesystem("entrepot+s3", **s3_options(seaweedfs_server))
    source, target = f"{seaweedfs_server.bucket}/{os.getpid()}-copy", f"{seaweedfs_server.versioned_bucket()}/copied"
    fs.pipe(source, b"1")
    fs.copy(source, target)
    assert fs.cat(target) == b"1"


# Coroutines


async def test_files_of_coroutines(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator, asynchronous=True)
    async with await fs.open_async("a", "wb") as file:
        assert [await file.write(b"01234"), await file.write(b"56789")] == [5, 5]
    async with await fs.open_async("a") as file:
        assert (file.size, await file.read(2), file.seek(-2, 2), await file.read(), await file.read(1)) == (
            *(10, b"01", 8, b"89"),
            b"",
        )
        with pytest.raises(OSError, match="not possible"):
            await file.write(b"1")
    with pytest.raises(ZeroDivisionError):
        async with await fs.open_async("b", "wb") as file:
            await file.write(b"half")
            raise ZeroDivisionError
    async with await fs.open_async("a", "ab") as file:
        assert file.tell() == 10
        await file.write(b"!")
    async with await fs.open_async("log", "ab") as file:
        assert file.tell() == 0
        await file.write(b"header")
    await fs._rm_file("log")
    async with await fs.open_async("empty", "wb"):
        pass
    assert await fs._cat_file("a") == b"0123456789!"
    assert await fs._find("") == ["a", "empty"]
    with pytest.raises(FileExistsError):
        async with await fs.open_async("a", "xb") as file:
            await file.write(b"1")
    for mode in ("r", "rb+"):
        with pytest.raises(ValueError, match="modes"):
            await fs.open_async("a", mode)
    await operator.close()


def test_an_instance_serves_several_loops(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("a", b"1")

    async def read() -> bytes:
        try:
            return await fs._cat_file("a")
        finally:
            await operator.close()

    assert [fs.cat("a"), asyncio.run(read()), asyncio.run(read()), fs.cat("a")] == [b"1"] * 4


# Identity and processes


def test_equality_and_tokens(tmp_path: Path) -> None:
    memory = Operator(Memory())
    for same, other in [
        (lambda: EntrepotFileSystem(memory), EntrepotFileSystem(Operator(Memory()))),
        (lambda: EntrepotFileSystem(Operator(Fs(tmp_path))), EntrepotFileSystem(Operator(Fs("/")))),
        (lambda: fsspec.filesystem("entrepot+memory"), fsspec.filesystem("entrepot+fs")),
    ]:
        assert same() == same()
        assert hash(same()) == hash(same())
        assert same().__dask_tokenize__() == same().__dask_tokenize__() != other.__dask_tokenize__()
        assert same() != other
    for fs in [EntrepotFileSystem(Operator(Fs(tmp_path))), fsspec.filesystem("entrepot+fs")]:
        assert pickle.loads(pickle.dumps(fs)) == fs
    assert file_system_class("https") is file_system_class("http")


def _listed(fs: EntrepotFileSystem, path: str) -> list[str]:
    return [*fs.find(path), fs.open(path + "/a").read().decode()]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes(tmp_path: Path, seaweedfs_server: S3Server, method: str) -> None:
    folder = f"{seaweedfs_server.bucket}/{os.getpid()}-{method}"
    for fs, path in [
        (fsspec.filesystem("entrepot+s3", **s3_options(seaweedfs_server)), folder),
        (EntrepotFileSystem(Operator(Fs(tmp_path))), "d"),
    ]:
        fs.pipe(f"{path}/a", b"1")
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(_listed, (fs, path)) == _listed(fs, path) == [f"{path}/a", "1"]


def _inherited(queue: multiprocessing.Queue) -> None:
    queue.put(GLOBAL.cat("a"))


GLOBAL = EntrepotFileSystem(Operator(Memory()))


def test_a_forked_child_uses_the_instance_that_it_inherited() -> None:
    GLOBAL.pipe("a", b"1")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_inherited, args=(queue,))
    child.start()
    assert queue.get(timeout=20) == b"1"
    child.join(20)
    assert child.exitcode == 0
