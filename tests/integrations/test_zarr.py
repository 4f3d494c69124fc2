"""The store of zarr: the suite that zarr has for stores, and what zarr does with it."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

from entrepot import InvalidInput, Operator
from entrepot.raw import Context
from entrepot.services import Fs, Memory
from entrepot.testing import RecordingTransport, S3Server
from tests.conftest import s3_config

zarr = pytest.importorskip("zarr")
numpy = pytest.importorskip("numpy")

from zarr.abc.store import RangeByteRequest, SuffixByteRequest  # noqa: E402
from zarr.core.buffer import cpu, default_buffer_prototype  # noqa: E402
from zarr.testing.store import StoreTests  # noqa: E402

from entrepot.integrations.zarr import EntrepotStore, EntrepotSyncStore  # noqa: E402


class EntrepotStoreTests(StoreTests[EntrepotStore, cpu.Buffer]):
    store_cls = EntrepotStore
    buffer_cls = cpu.Buffer

    async def set(self, store: EntrepotStore, key: str, value: Any) -> None:
        await store.operator.write(key, value.to_bytes())

    async def get(self, store: EntrepotStore, key: str) -> Any:
        return self.buffer_cls.from_bytes(await store.operator.read(key))

    def test_store_repr(self, store: EntrepotStore) -> None:
        assert repr(store) == f"EntrepotStore({store.operator!r})"
        assert str(store).startswith(f"entrepot+{store.operator.info.scheme}://")

    def test_store_supports_writes(self, store: EntrepotStore) -> None:
        assert store.supports_writes

    def test_store_supports_listing(self, store: EntrepotStore) -> None:
        assert store.supports_listing


class TestFs(EntrepotStoreTests):
    @pytest.fixture
    def store_kwargs(self, tmp_path: Path) -> dict[str, Any]:
        return {"operator": Operator(Fs(tmp_path))}


class TestS3(EntrepotStoreTests):
    @pytest.fixture
    async def store_kwargs(self, seaweedfs_server: S3Server) -> Any:
        operator = Operator(s3_config(seaweedfs_server))
        yield {"operator": operator}
        await operator.close()


class TestMemory(EntrepotStoreTests):
    @pytest.fixture
    def store_kwargs(self) -> dict[str, Any]:
        return {"operator": Operator(Memory())}

    async def test_serializable_store(self, store: EntrepotStore) -> None:
        with pytest.raises(TypeError, match="Memory holds its objects itself"):
            pickle.dumps(store)


@pytest.mark.parametrize("operator", ["memory", "fs", "moto"], indirect=True)
def test_an_array(operator: Operator) -> None:
    store = EntrepotStore(operator)
    array = zarr.create_array(store, name="group/a", shape=(100, 100), chunks=(10, 50), shards=(50, 100), dtype="i4")
    content = numpy.arange(10_000, dtype="i4").reshape(100, 100)
    array[:] = content
    assert (zarr.open_array(store, path="group/a", mode="r")[3:17, 40:60] == content[3:17, 40:60]).all()
    assert [name for name, _ in zarr.open_group(store, mode="r").members(max_depth=None)] == ["group", "group/a"]
    assert store.operator.blocking().delete("/", recursive=True) is None
    assert zarr.create_group(store, overwrite=True).nmembers() == 0


def test_local_storage_has_sync_calls(tmp_path: Path, seaweedfs_server: S3Server) -> None:
    assert isinstance(EntrepotStore(Operator(Fs(tmp_path))), EntrepotSyncStore)
    assert not isinstance(EntrepotStore(Operator(s3_config(seaweedfs_server))), EntrepotSyncStore)
    with pytest.raises(InvalidInput, match="made from an Operator, not Fs"):
        EntrepotStore(Fs(tmp_path))


async def test_near_ranges_share_a_request(seaweedfs_server: S3Server) -> None:
    transport = RecordingTransport()
    operator = Operator(s3_config(seaweedfs_server), context=Context(http=transport))
    store, prototype = EntrepotStore(operator), default_buffer_prototype()
    await operator.write("a", bytes(range(100)))
    assert not await operator.exists("missing")  # the first absence asks whether the bucket exists
    transport.forget()
    wanted = [RangeByteRequest(0, 2), RangeByteRequest(50, 53), RangeByteRequest(98, 200)]
    past = RangeByteRequest(101, 102)
    found = await store.get_partial_values(prototype, [*(("a", one) for one in wanted), ("missing", None)])
    assert [one and one.to_bytes() for one in found] == [b"\0\1", b"234", b"bc", None]
    assert len(transport.requests) == 2
    with_past = await store.get_partial_values(prototype, [("a", wanted[0]), ("a", past)])
    assert [one is not None and one.to_bytes() for one in with_past] == [b"\0\1", b""]
    assert (await store.get("a", prototype, past)).to_bytes() == b""
    batches = [batch async for batch in store.get_ranges("a", [*wanted, SuffixByteRequest(1)], prototype=prototype)]
    pairs = {index: value.to_bytes() for batch in batches for index, value in batch}
    assert pairs == {0: b"\0\1", 1: b"234", 2: b"bc", 3: b"c"}
    await transport.close()


def _sum(store: EntrepotStore) -> int:
    return int(zarr.open_array(store, mode="r")[:].sum())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes(tmp_path: Path, method: str) -> None:
    store = EntrepotStore(Operator(Fs(tmp_path)))
    zarr.create_array(store, shape=(10,), dtype="i4")[:] = range(10)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_sum, (store,)) == 45
