"""Configuration of fs."""

import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import Fs


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("/data", "/data"),
        ("/data/", "/data"),
        ("/data//dir/./", "/data/dir"),
        ("/data/../dir", "/data/../dir"),
        ("/", "/"),
        ("//", "/"),
        (Path("/data/dir"), "/data/dir"),
        ("/~/x", "/~/x"),
    ],
)
def test_root_is_kept_as_given_but_for_what_says_nothing(given: str | Path, root: str) -> None:
    assert Fs(given).root == root  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["data", "./data", Path("data")])
def test_relative_root_stays_where_it_was_when_the_process_goes_elsewhere(
    given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Fs(given)  # type: ignore[arg-type]
    monkeypatch.chdir("/")
    assert config.root == f"{tmp_path}/data"
    assert Operator(config).info.root == f"{tmp_path}/data/"


@pytest.mark.parametrize(("given", "name"), [(".", ""), ("~", "/~"), ("~/x", "/~/x")])
def test_relative_names_are_not_special(given: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Fs(given).root == f"{tmp_path}{name}"


def test_relative_root_needs_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigInvalid, match="working directory that is gone"):
        Fs("data")
    assert Fs("/data").root == "/data"


class _PathOfBytes(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"/data"


@pytest.mark.parametrize("root", ["", b"/data", _PathOfBytes(), None, 3, "/a\0b", "/a\nb", "/a\rb", "/a\udcffb"])
def test_root_that_cannot_work_is_refused(root: object) -> None:
    with pytest.raises(ConfigInvalid, match="root") as raised:
        Fs(root)  # type: ignore[arg-type]
    assert (raised.value.scheme, raised.value.operation) == ("fs", "configure")


def test_root_is_required() -> None:
    with pytest.raises(ConfigInvalid, match="root is missing"):
        Operator.from_config("fs")


def test_unknown_key_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(ConfigInvalid, match="did you mean 'root'"):
        Operator.from_config("fs", rot="/data")


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("fs:///data/dir", "/data/dir"),
        ("file:///data", "/data"),
        ("file://localhost/data", "/data"),
        ("file://LOCALHOST/data", "/data"),
        ("fs:///with%20blank", "/with blank"),
        ("fs:///", "/"),
        ("fs://?root=/data", "/data"),
        ("FS:///data", "/data"),
    ],
)
def test_uri_gives_the_root(uri: str, root: str) -> None:
    assert Fs.from_uri(uri) == Fs(root)
    assert Operator.from_uri(uri).info.scheme == "fs"


@pytest.mark.parametrize("uri", ["fs://host/data", "file://example.org/data", "fs://data", "file://localhost:80/data"])
def test_uri_with_a_host_is_refused(uri: str) -> None:
    with pytest.raises(ConfigInvalid, match="names no host"):
        Operator.from_uri(uri)


@pytest.mark.parametrize(
    "uri", ["fs", "fs://", "fs://localhost", "fs:///data#part", "fs:///data?depth=1", "fs:///a%00"]
)
def test_uri_that_cannot_work_is_refused(uri: str) -> None:
    with pytest.raises(ConfigInvalid):
        Operator.from_uri(uri)


@pytest.mark.parametrize(("uri", "fsync"), [("fs:///data?fsync=true", True), ("fs:///data", False)])
def test_uri_says_whether_to_sync(uri: str, fsync: bool) -> None:
    assert Fs.from_uri(uri) == Fs("/data", fsync=fsync)


def test_configuration_is_a_frozen_value_that_pickles() -> None:
    config = Fs("/data")
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(Fs("/data/"))
    assert config != Fs("/other")
    assert repr(config) == "Fs(root='/data', fsync=False, abandoned_after=86400)"
    with pytest.raises(FrozenInstanceError):
        config.root = "/other"  # type: ignore[misc]


def test_building_does_no_io(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert Operator(Fs(missing)).info.root == f"{missing}/"  # type: ignore[arg-type]
    assert not missing.exists()


def test_building_imports_no_event_loop_and_no_ctypes() -> None:
    """In a separate process, because this one has imported everything."""
    code = (
        "import sys; from entrepot import Operator; from entrepot.services import Fs; Operator(Fs('/data'));"
        "print(sorted({'asyncio', 'ctypes', 'aiohttp', 'ssl', 'anyio'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30, check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert shown.stdout.strip() == "[]"
