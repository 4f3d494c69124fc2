"""The store of obspec over entrepot: each call with and without `async`."""

from __future__ import annotations

import asyncio
import io
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from entrepot import InvalidInput, Operator
from entrepot.layers import CapabilityOverrideLayer
from entrepot.services import Fs, Memory

obspec = pytest.importorskip("obspec")

from obspec import exceptions  # noqa: E402

from entrepot.integrations.obspec import ObspecStore  # noqa: E402


class Sync:
    """Makes the calls without `async`."""

    def __init__(self, store: ObspecStore) -> None:
        self._store = store

    def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        return getattr(self._store, name)(*args, **options)

    def content(self, result: Any) -> bytes:
        return result.buffer()

    def pieces(self, result: Any) -> list[Any]:
        return [*result]


class Async(Sync):
    """Makes them with `async`, on one loop."""

    def __init__(self, store: ObspecStore, runner: asyncio.Runner) -> None:
        super().__init__(store)
        self._runner = runner

    def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        call = getattr(self._store, f"{name}_async")
        if name == "list":
            return self.pieces(call(*args, **options))
        return self._runner.run(call(*args, **options))

    def content(self, result: Any) -> bytes:
        return self._runner.run(result.buffer_async())

    def pieces(self, result: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [piece async for piece in result]

        return self._runner.run(collect())


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, operator: Operator) -> Iterator[Sync]:
    store = ObspecStore(operator)
    if request.param == "sync":
        yield Sync(store)
        return
    with asyncio.Runner() as runner:
        yield Async(store, runner)
        runner.run(operator.close())


@pytest.fixture
def refused() -> Callable[..., Any]:
    def check(name: str, call: Callable[[], Any]) -> None:
        with pytest.raises(Exception) as caught:
            call()
        assert type(exceptions.map_exception(caught.value)).__name__ == name

    return check


def test_objects(call: Sync) -> None:
    content = bytes(range(256)) * 100
    put = call("put", "d/a", content)
    meta = call("head", "d/a")
    assert (meta["path"], meta["size"], meta["e_tag"]) == ("d/a", len(content), put["e_tag"])
    assert datetime.now(UTC) - meta["last_modified"] < timedelta(minutes=5)
    result = call("get", "d/a")
    assert (result.meta["size"], result.range, call.content(result)) == (len(content), (0, len(content)), content)
    assert b"".join(call.pieces(call("get", "d/a"))) == content
    for options, start, end in [((5, 9), 5, 9), ({"offset": 25_590}, 25_590, 25_600), ({"suffix": 3}, 25_597, 25_600)]:
        result = call("get", "d/a", options={"range": options})
        assert (result.range, call.content(result)) == ((start, end), content[start:end])
    assert call.content(call("get", "d/a", options={"head": True})) == b""
    assert call("get_range", "d/a", start=3, length=4) == call("get_range", "d/a", start=3, end=7) == content[3:7]
    assert call("get_ranges", "d/a", starts=[9, 0], lengths=[1, 2]) == [content[9:10], content[:2]]
    assert call("get_ranges", "d/a", starts=[9, 0], ends=[10, 2]) == [content[9:10], content[:2]]


def test_sources_of_a_put(call: Sync, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")
    for source in (
        b"12",
        bytearray(b"12"),
        memoryview(b"12"),
        tmp_path / "file",
        io.BytesIO(b"12"),
        iter([b"1", b"2"]),
    ):
        call("put", "a", source, chunk_size=5 << 20, max_concurrency=2)
        assert call("get_range", "a", start=0, end=9) == b"12"


def test_listings(call: Sync) -> None:
    for path in ("d/a", "d/e/b", "d/e/c", "dx/f", "g"):
        call("put", path, b"1")

    def listed(*args: str, **options: str) -> list[str]:
        return sorted(meta["path"] for page in call("list", *args, **options) for meta in page)

    assert listed() == ["d/a", "d/e/b", "d/e/c", "dx/f", "g"]
    assert listed("d") == listed("d/") == ["d/a", "d/e/b", "d/e/c"]
    assert listed("d", offset="d/e/b") == ["d/e/c"]
    assert listed("nowhere") == []
    level = call("list_with_delimiter", "d")
    assert (level["common_prefixes"], [meta["path"] for meta in level["objects"]]) == (["d/e"], ["d/a"])
    assert sorted(call("list_with_delimiter")["common_prefixes"]) == ["d", "dx"]


def test_copies_moves_and_deletions(call: Sync, refused: Callable[..., None]) -> None:
    call("put", "a", b"1")
    call("copy", "a", "b")
    refused("AlreadyExistsError", lambda: call("copy", "a", "b", overwrite=False))
    call("rename", "a", "c")
    refused("NotFoundError", lambda: call("head", "a"))
    call("delete", ["b", "never there"])
    call("delete", "c")
    assert [*call("list")] == []


async def test_a_rename_leaves_an_object_that_is_changed_after_it_was_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Operator.copy

    async def copied_and_changed(operator: Operator, source: str, target: str) -> None:
        await copy(operator, source, target)
        await operator.write(source, b"late")

    monkeypatch.setattr(Operator, "copy", copied_and_changed)
    operator = Operator(Memory()).layer(CapabilityOverrideLayer(rename=False))
    store = ObspecStore(operator)
    await operator.write("a", b"1")
    with pytest.raises(exceptions.PreconditionError, match="changed after it was copied"):
        await store.rename_async("a", "b")
    with pytest.raises(exceptions.PreconditionError, match="changed after it was copied"):
        store.rename("a", "c")
    assert [await operator.read(path) for path in "abc"] == [b"late", b"1", b"late"]


def test_errors(call: Sync, refused: Callable[..., None]) -> None:
    put = call("put", "d/a", b"1")
    refused("AlreadyExistsError", lambda: call("put", "d/a", b"2", mode="create"))
    refused("NotSupportedError", lambda: call("put", "b", b"2", tags={"a": "b"}))
    refused("NotSupportedError", lambda: call("put", "b", b"2", attributes={"Content-Language": "de"}))
    refused("NotModifiedError", lambda: call("get", "d/a", options={"if_none_match": put["e_tag"]}))
    refused("PreconditionError", lambda: call("get", "d/a", options={"if_match": '"other"'}))
    for path in ("nowhere", "d"):
        refused("NotFoundError", lambda path=path: call("get", path))
        refused("NotFoundError", lambda path=path: call("head", path))
    for wrong in ({"start": 0}, {"start": 0, "end": 1, "length": 1}, {"start": 1, "end": 1}):
        with pytest.raises(ValueError, match="a range has"):
            call("get_range", "d/a", **wrong)
    with pytest.raises(ValueError, match="starts and"):
        call("get_ranges", "d/a", starts=[1, 2], ends=[3])
    with pytest.raises(ValueError, match="mode is"):
        call("put", "d/a", b"1", mode="replace")


def test_attributes_and_updates() -> None:
    store = ObspecStore(Operator(Memory()))
    attributes = {"Content-Type": "text/plain", "Cache-Control": "no-cache", "colour": "red"}
    first = store.put("a", b"1", attributes=attributes)
    with store.get("a") as result:
        assert result.attributes == attributes
    store.put("a", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(exceptions.PreconditionError):
        store.put("a", b"3", mode={"e_tag": first["e_tag"]})


def test_names_of_headers_have_no_case() -> None:
    store = ObspecStore(Operator(Memory()))
    for name in ("content-type", "CONTENT-TYPE", "content_type"):
        store.put("a", b"1", attributes={name: "text/plain", "colour": "red"})
        with store.get("a") as result:
            assert result.attributes == {"Content-Type": "text/plain", "colour": "red"}
    with pytest.raises(exceptions.NotSupportedError):
        store.put("a", b"1", attributes={"content-language": "en"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"options": {"if_mach": '"another"'}},
        {"options": {"head": True, "if_mach": '"another"'}},
        {"options": ["if_match"]},
        {"options": {"range": {"offest": 1}}},
        {"options": {"range": {"offset": 1, "suffix": 1}}},
        {"options": {"range": {}}},
        {"options": {"range": (1, 2, 3)}},
        {"options": {"range": 5}},
        {"mode": {"etag": '"another"'}},
        {"mode": {"e_tag": None}},
        {"mode": {"e_tag": '"another"', "if_match": '"another"'}},
        {"mode": "creat"},
    ],
    ids=str,
)
def test_a_mistyped_key_is_refused_before_any_request(call: Sync, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):  # a request would find nothing at the path
        call("get", "a", **arguments) if "options" in arguments else call("put", "a", b"1", **arguments)
    with pytest.raises(exceptions.NotFoundError):
        call("head", "a")


async def test_a_result_is_a_source(operator: Operator) -> None:
    store = ObspecStore(operator)
    await store.put_async("a", b"12" * 100_000)
    await store.put_async("b", await store.get_async("a"))
    async with await store.get_async("b") as result:
        assert await result.buffer_async() == b"12" * 100_000
    await operator.close()


def test_identity(tmp_path: Path) -> None:
    store = ObspecStore(Operator(Fs(tmp_path)))
    assert pickle.loads(pickle.dumps(store)) == store == ObspecStore(Operator(Fs(tmp_path)))
    assert hash(store) == hash(ObspecStore(Operator(Fs(tmp_path))))
    assert store != ObspecStore(Operator(Fs("/")))
    assert repr(store) == f"ObspecStore({Operator(Fs(tmp_path))!r})"
    with pytest.raises(InvalidInput, match="made from an Operator, not str"):
        ObspecStore("s3")
