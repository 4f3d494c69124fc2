"""Every method of a file system of fsspec, on every kind of path: it works, or its error says what is wrong."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from entrepot import (
    AlreadyExists,
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    Unsupported,
)
from entrepot.services import Memory

fsspec = pytest.importorskip("fsspec")

from fsspec.asyn import AsyncFileSystem  # noqa: E402

from entrepot.integrations.fsspec import EntrepotFileSystem  # noqa: E402

Call = Callable[[Any, str, Path], Any]

PATHS: Final = ("d/f", "d", "empty", "", "/", "missing", "missing/x", "top/x", "d/", "d/f/")
CALLS: Final[dict[str, list[Call]]] = {
    "cat": [
        lambda fs, path, _: fs.cat(path),
        lambda fs, path, _: fs.cat(path, recursive=True),
        lambda fs, path, _: fs.cat([path], on_error="omit"),
        lambda fs, path, _: fs.cat(path, on_error="return", batch_size=1),
    ],
    "cat_file": [
        lambda fs, path, _: fs.cat_file(path),
        lambda fs, path, _: fs.cat_file(path, start=-2),
        lambda fs, path, _: fs.cat_file(path, start=5, end=1),
        lambda fs, path, _: fs.cat_file(path, start=500, end=501),
        lambda fs, path, _: fs.cat_file(path, end=-500),
    ],
    "cat_ranges": [
        lambda fs, path, _: fs.cat_ranges([path], [0], [1], on_error="raise"),
        lambda fs, path, _: fs.cat_ranges([path], -1, None, max_gap=0, on_error="raise"),
        lambda fs, path, _: fs.cat_ranges([path], 500, 501, max_gap=0, batch_size=1),
        lambda fs, path, _: fs.cat_ranges([path], [0, 1], 1),
        lambda fs, path, _: fs.cat_ranges(path, 0, 1),
    ],
    "checksum": [lambda fs, path, _: fs.checksum(path)],
    "clear_instance_cache": [lambda fs, _, __: fs.clear_instance_cache()],
    "copy": [
        lambda fs, path, _: fs.copy(path, "new"),
        lambda fs, path, _: fs.copy(path, "new/", recursive=True, on_error="ignore"),
        lambda fs, path, _: fs.copy(path, "new", recursive=True, maxdepth=1, batch_size=1),
        lambda fs, path, _: fs.copy([path], ["new"]),
        lambda fs, path, _: fs.copy("d/f", path),
        lambda fs, path, _: fs.copy(path, path),
    ],
    "cp": [lambda fs, path, _: fs.cp(path, "new")],
    "cp_file": [lambda fs, path, _: fs.cp_file(path, "new"), lambda fs, path, _: fs.cp_file("d/f", path)],
    "created": [lambda fs, path, _: fs.created(path)],
    "delete": [lambda fs, path, _: fs.delete(path), lambda fs, path, _: fs.delete(path, recursive=True)],
    "disk_usage": [lambda fs, path, _: fs.disk_usage(path)],
    "download": [lambda fs, path, local: fs.download(path, str(local / "to"), recursive=True)],
    "du": [
        lambda fs, path, _: fs.du(path),
        lambda fs, path, _: fs.du(path, total=False, withdirs=True, maxdepth=1),
        lambda fs, path, _: fs.du(path, maxdepth=0),
    ],
    "end_transaction": [lambda fs, _, __: (fs.start_transaction(), fs.end_transaction())],
    "exists": [lambda fs, path, _: fs.exists(path)],
    "expand_path": [
        lambda fs, path, _: fs.expand_path(path, recursive=True),
        lambda fs, path, _: fs.expand_path([path], maxdepth=1, assume_literal=True),
        lambda fs, path, _: fs.expand_path(f"{path}/*", recursive=True, maxdepth=2),
    ],
    "find": [
        lambda fs, path, _: fs.find(path, withdirs=True, detail=True),
        lambda fs, path, _: fs.find(path, maxdepth=1, withdirs=True),
        lambda fs, path, _: fs.find(path, prefix="f"),
        lambda fs, path, _: fs.find(path, maxdepth=0),
    ],
    "from_dict": [lambda fs, _, __: type(fs).from_dict(fs.to_dict())],
    "from_json": [lambda fs, _, __: type(fs).from_json(fs.to_json())],
    "get": [
        lambda fs, path, local: fs.get(path, str(local / "to")),
        lambda fs, path, local: fs.get(path, f"{local / 'to'}/", recursive=True, maxdepth=1),
        lambda fs, path, local: fs.get([path], [str(local / "to")], batch_size=1),
        lambda fs, path, local: fs.get(path, str(local), recursive=True),
    ],
    "get_file": [
        lambda fs, path, local: fs.get_file(path, local / "to"),
        lambda fs, path, _: fs.get_file(path, io.BytesIO()),
        lambda fs, path, _: fs.get_file(path, outfile=io.BytesIO()),
        lambda fs, path, _: fs.get_file(path),
    ],
    "get_mapper": [
        lambda fs, path, _: dict(fs.get_mapper(path)),
        lambda fs, path, _: fs.get_mapper(path, check=True),
        lambda fs, path, _: fs.get_mapper(path, create=True),
    ],
    "glob": [
        lambda fs, path, _: fs.glob(path, detail=True),
        lambda fs, path, _: fs.glob(f"{path}/**", maxdepth=1),
        lambda fs, path, _: fs.glob(f"{path}*", withdirs=False),
    ],
    "head": [lambda fs, path, _: fs.head(path), lambda fs, path, _: fs.head(path, size=0)],
    "info": [lambda fs, path, _: fs.info(path)],
    "invalidate_cache": [lambda fs, path, _: fs.invalidate_cache(path), lambda fs, _, __: fs.invalidate_cache()],
    "isdir": [lambda fs, path, _: fs.isdir(path)],
    "isfile": [lambda fs, path, _: fs.isfile(path)],
    "lexists": [lambda fs, path, _: fs.lexists(path)],
    "listdir": [lambda fs, path, _: fs.listdir(path, detail=False)],
    "ls": [lambda fs, path, _: fs.ls(path, detail=False), lambda fs, path, _: fs.ls(path, refresh=True)],
    "makedir": [lambda fs, path, _: fs.makedir(path, create_parents=False)],
    "makedirs": [lambda fs, path, _: fs.makedirs(path), lambda fs, path, _: fs.makedirs(path, exist_ok=True)],
    "mkdir": [lambda fs, path, _: fs.mkdir(path), lambda fs, path, _: fs.mkdir(f"{path}/x/y", create_parents=False)],
    "mkdirs": [lambda fs, path, _: fs.mkdirs(path, exist_ok=True)],
    "modified": [lambda fs, path, _: fs.modified(path)],
    "move": [lambda fs, path, _: fs.move(path, "new")],
    "mv": [
        lambda fs, path, _: fs.mv(path, "new"),
        lambda fs, path, _: fs.mv(path, "new", recursive=True, maxdepth=1),
        lambda fs, path, _: fs.mv("d", path, recursive=True),
        lambda fs, path, _: fs.mv([path], ["new"]),
    ],
    "open": [
        lambda fs, path, _: fs.open(path).read(),
        lambda fs, path, _: fs.open(path, "r", encoding="utf-8").read(),
        lambda fs, path, _: fs.open(path, "rb", compression="infer").read(),
        lambda fs, path, _: fs.open(path, "rb", compression="unknown"),
        lambda fs, path, _: fs.open(path, "rb", cache_type="unknown"),
        lambda fs, path, _: fs.open(path, "rb", cache_type="all", block_size=5, size=3).read(),
        lambda fs, path, _: fs.open(path, "r+b"),
        lambda fs, path, _: fs.open(path, "unknown"),
        lambda fs, path, _: fs.open(path, "wb").close(),
        lambda fs, path, _: fs.open(path, "xb").close(),
        lambda fs, path, _: fs.open(path, "ab").close(),
    ],
    "pipe": [lambda fs, path, _: fs.pipe(path, b"new"), lambda fs, path, _: fs.pipe({path: b"new"}, batch_size=1)],
    "pipe_file": [
        lambda fs, path, _: fs.pipe_file(path, b"new", mode="create"),
        lambda fs, path, _: fs.pipe_file(path, b"new", mode="unknown"),
    ],
    "put": [
        lambda fs, path, local: fs.put(str(local / "from"), path, mode="create"),
        lambda fs, path, local: fs.put(str(local), path, recursive=True),
        lambda fs, path, local: fs.put(str(local / "missing"), path),
    ],
    "put_file": [
        lambda fs, path, local: fs.put_file(local / "from", path),
        lambda fs, path, local: fs.put_file(local, path),
        lambda fs, path, local: fs.put_file(local / "missing", path),
    ],
    "read_block": [
        lambda fs, path, _: fs.read_block(path, 1, None),
        lambda fs, path, _: fs.read_block(path, 1, 3, delimiter=b"\n"),
    ],
    "read_bytes": [lambda fs, path, _: fs.read_bytes(path, start=1, end=2)],
    "read_text": [lambda fs, path, _: fs.read_text(path, encoding="utf-8", errors="ignore", newline="")],
    "rename": [lambda fs, path, _: fs.rename(path, "new")],
    "rm": [
        lambda fs, path, _: fs.rm(path),
        lambda fs, path, _: fs.rm([path], recursive=True),
        lambda fs, path, _: fs.rm(path, recursive=True, maxdepth=1),
    ],
    "rm_file": [lambda fs, path, _: fs.rm_file(path)],
    "rmdir": [lambda fs, path, _: fs.rmdir(path)],
    "sign": [lambda fs, path, _: fs.sign(path, expiration=5)],
    "size": [lambda fs, path, _: fs.size(path)],
    "sizes": [lambda fs, path, _: fs.sizes([path])],
    "start_transaction": [lambda fs, _, __: fs.start_transaction()],
    "stat": [lambda fs, path, _: fs.stat(path)],
    "tail": [lambda fs, path, _: fs.tail(path, size=2)],
    "to_dict": [lambda fs, _, __: fs.to_dict(include_password=False)],
    "to_json": [lambda fs, _, __: fs.to_json(include_password=False)],
    "touch": [lambda fs, path, _: fs.touch(path), lambda fs, path, _: fs.touch(path, truncate=False)],
    "tree": [lambda fs, path, _: fs.tree(path, display_size=True, recursion_limit=1, max_display=1)],
    "ukey": [lambda fs, path, _: fs.ukey(path)],
    "unstrip_protocol": [lambda fs, path, _: fs.unstrip_protocol(path)],
    "upload": [lambda fs, path, local: fs.upload(str(local / "from"), path)],
    "walk": [
        lambda fs, path, _: list(fs.walk(path, topdown=False, detail=True)),
        lambda fs, path, _: list(fs.walk(path, maxdepth=1, on_error="raise")),
    ],
    "write_bytes": [lambda fs, path, _: fs.write_bytes(path, b"new")],
    "write_text": [lambda fs, path, _: fs.write_text(path, "new", encoding="utf-8", newline="\n")],
}
ELSEWHERE: Final = {
    "current",  # makes a file system without arguments, which one over an operator cannot be
    "open_async",  # a coroutine: `test_fsspec.py`
    "transaction_type",  # a class
}


def methods() -> set[str]:
    """The public methods of the installed release of fsspec."""
    return {
        name for name in dir(AsyncFileSystem) if not name.startswith("_") and callable(getattr(AsyncFileSystem, name))
    }


def test_every_method_of_the_installed_fsspec_is_called_here() -> None:
    assert methods() - ELSEWHERE <= CALLS.keys()


@pytest.mark.filterwarnings("ignore:.* was not closed:RuntimeWarning")  # of the calls that end in an error
@pytest.mark.parametrize("name", sorted(CALLS))
def test_no_call_ends_in_an_error_that_says_nothing(name: str, tmp_path: Path) -> None:
    for call in CALLS[name]:
        for path in PATHS:
            local = tmp_path / "local"
            local.mkdir()
            (local / "from").write_bytes(b"local")
            operator = Operator(Memory())
            files = operator.blocking()
            for key, content in {"d/f": b"one\ntwo\n", "d/e/g": b"g", "top": b"top"}.items():
                files.write(key, content)
            files.create_dir("empty/")
            try:
                call(EntrepotFileSystem(operator), path, local)
            except (OSError, ValueError) as error:
                assert str(error), (path, error)
            shutil.rmtree(local)


def test_the_time_of_the_last_change_where_the_storage_keeps_none(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("d/f", b"a")
    assert fs.modified("d/f").tzinfo is not None
    if operator.info.scheme != "fs":  # which keeps them for directories too
        with pytest.raises(IsADirectory, match="no time of the last change"):
            fs.modified("d")
    with pytest.raises(IsADirectory, match="no time of the last change"):
        fs.modified("")
    with pytest.raises(NotFound):
        fs.modified("missing")


def test_no_storage_reports_the_time_of_creation(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("d/f", b"a")
    for path in ("d/f", "d"):
        with pytest.raises(Unsupported, match=r"modified\(\)"):
            fs.created(path)
    with pytest.raises(NotFound):
        fs.created("missing")


def test_touch_without_truncation_replaces_no_file(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("d/f", b"a")
    with pytest.raises(Unsupported, match="truncate=True"):
        fs.touch("d/f", truncate=False)
    with pytest.raises(Unsupported, match="of a directory"):
        fs.touch("d", truncate=False)
    fs.touch("d/new", truncate=False)
    assert fs.cat("d/new") == b""

    monkeypatch.setattr(fs, "_check_may_be_made", lambda _: None)  # another program makes the file after the check
    with pytest.raises(AlreadyExists):
        fs.touch("d/f", truncate=False)
    assert fs.cat("d/f") == b"a"
    fs.touch("d/f")
    assert fs.cat("d/f") == b""


def test_a_file_is_copied_to_an_open_one(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("f", b"content")
    by_name, by_position = io.BytesIO(), io.BytesIO()
    fs.get_file("f", outfile=by_name)
    fs.get_file("f", by_position)
    assert by_name.getvalue() == by_position.getvalue() == b"content"
    with pytest.raises(InvalidInput, match="outfile"):
        fs.get_file("f")


def test_conditions_of_reads_are_conditions(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("f", b"content")
    reads: list[Callable[..., Any]] = [
        lambda **options: fs.cat_file("f", **options),
        lambda **options: fs.cat(["f"], **options),
        lambda **options: fs.cat_ranges(["f"], 1, 2, on_error="raise", **options),
        lambda **options: fs.get_file("f", io.BytesIO(), **options),
    ]
    for read in reads:
        read(if_match=fs.info("f")["etag"])
        with pytest.raises(ConditionNotMatch):
            read(if_match='"another"')
        with pytest.raises(TypeError, match="'if_mach'"):
            read(if_mach='"another"')
    with pytest.raises(TypeError, match="'if_not_exist'"):
        fs.copy("f", "g", if_not_exist=True)
    with pytest.raises(InvalidInput, match="'if_match' of a file to read"):
        fs.open("f", if_match='"another"')


def test_options_of_programs_for_other_file_systems(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe("f", b"content")
    hints = {"anon": True, "default_fill_cache": False, "default_cache_type": "first", "fill_cache": False}
    text = {"encoding": "utf-8", "errors": "strict", "newline": ""}
    for options in (hints, text, dict.fromkeys((*text, "version_id", "if_match"))):
        with fs.open("f", "rb", **options) as file:
            assert file.read() == b"content"
        with fs.open("new", "wb", **options) as file:
            file.write(b"new")
        assert fs.cat("new") == b"new"
    none = {"version_id": None, "fill_cache": True}
    assert fs.cat_file("f", **none) == b"content"
    assert fs.cat_ranges(["f"], [0], [1], on_error="raise", **none) == [b"c"]
    fs.get_file("f", into := io.BytesIO(), **none)
    fs.copy("f", "copy", **none)
    assert into.getvalue() == fs.cat("copy") == b"content"
    with pytest.raises(InvalidInput, match=r"'if_match' of a file to read.*such as if_match$"):
        fs.open("f", if_match="1")


def test_options_of_calls_by_the_names_of_other_file_systems(operator: Operator) -> None:
    fs = EntrepotFileSystem(operator)
    fs.pipe_file("f", b"content", acl=False, overwrite=True, consistency="md5", auto_mkdir=True)
    fs.pipe_file("f", b"content", s3_additional_kwargs={"ContentType": None})
    with fs.open("f", max_concurrency=2, chunksize=100, requester_pays=False) as file:
        assert file.read() == b"content"
    with pytest.raises(AlreadyExists):
        fs.pipe_file("f", b"other", overwrite=False)
    with pytest.raises(InvalidInput, match="requester_pays is an option of the file system"):
        fs.open("f", requester_pays=True)
    with pytest.raises(InvalidInput, match="version is given twice, once as version_id"):
        fs.cat_file("f", version="1", version_id="1")
    if not operator.info.capability.read_with_version:
        for options in ({"version_id": "1"}, {"generation": 1}):
            with pytest.raises(Unsupported, match="with version"):
                fs.open("f", **options)


def test_what_cannot_be_written_as_json_says_what_to_do() -> None:
    with pytest.raises(Unsupported, match="pickle"):
        EntrepotFileSystem(Operator(Memory())).to_json()


def test_an_unknown_cache_names_the_known_ones() -> None:
    fs = EntrepotFileSystem(Operator(Memory()))
    fs.pipe("f", b"a")
    with pytest.raises(InvalidInput, match="growing") as caught:
        fs.open("f", cache_type="growin")
    assert isinstance(caught.value, Error)


def test_the_missing_identifier_says_what_to_compare() -> None:
    with pytest.raises(NotImplementedError, match="=="):
        _ = EntrepotFileSystem(Operator(Memory())).fsid


def test_a_mistyped_option_of_a_file_system_is_refused() -> None:
    operator = Operator(Memory())
    with pytest.raises(InvalidInput, match=r"'use_listing_cache'.*, use_listings_cache$"):
        EntrepotFileSystem(operator, use_listing_cache=True)
    assert EntrepotFileSystem(operator, use_listings_cache=True, listings_expiry_time=5, max_paths=9, batch_size=2)
