"""Deleting many: in batches, with a bounded number in flight, and with the error of each that failed."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from entrepot import (
    Capability,
    DeletionsFailed,
    Entry,
    Error,
    InvalidInput,
    Metadata,
    NotFound,
    Operator,
    PermissionDenied,
    Unexpected,
    Unsupported,
)
from entrepot.facade.deleting import delete_many
from entrepot.facade.refusals import MOST
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Context,
    LayeredAccessor,
    OpDelete,
    OpList,
    RpDelete,
    RpList,
    ServiceConfig,
    oio,
)
from entrepot.services import Memory


class Batch(oio.Delete):
    def __init__(self, service: "Bin") -> None:
        self._service = service
        self._queue: list[tuple[str, OpDelete]] = []

    async def delete(self, path: str, args: OpDelete) -> None:
        if path == "refused":
            raise PermissionDenied("not this one")
        self._queue.append((path, args))

    async def close(self) -> None:
        service = self._service
        service.in_flight += 1
        service.most_in_flight = max(service.most_in_flight, service.in_flight)
        await asyncio.sleep(0)
        service.in_flight -= 1
        service.batches.append(self._queue)
        if service.error is not None:
            raise service.error
        failures = [PermissionDenied("no", path=path) for path, _ in self._queue if path.startswith("bad")]
        if failures:
            raise DeletionsFailed.of(failures)


class Bin(ServiceConfig, Accessor):
    SCHEME = "bin"

    def __init__(self, **flags: Any) -> None:
        capability = {"delete": True, "delete_max_size": 3, "delete_with_version": True, "delete_with_recursive": True}
        self.info = AccessorInfo("bin", native_capability=Capability(**(capability | flags)))
        self.batches: list[list[tuple[str, OpDelete]]] = []
        self.error: Exception | None = None
        self.in_flight = 0
        self.most_in_flight = 0

    def build(self, context: Context) -> Accessor:
        return self

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), Batch(self)

    @property
    def deleted(self) -> list[str]:
        return [path for batch in self.batches for path, _ in batch]


async def test_one_is_deleted_with_its_options() -> None:
    service = Bin()
    op = Operator(service)
    await op.delete("a")
    await op.delete("a/", recursive=True)
    await op.delete_with("a").version("v")
    assert service.batches == [
        [("a", OpDelete())],
        [("a/", OpDelete(recursive=True))],
        [("a", OpDelete(version="v"))],
    ]


async def test_many_are_deleted_in_batches_of_what_the_service_takes() -> None:
    service = Bin()
    await Operator(service).delete_many([f"f{one}" for one in range(8)])
    assert [len(batch) for batch in service.batches] == [3, 3, 2]
    assert sorted(service.deleted) == [f"f{one}" for one in range(8)]


async def test_a_service_without_batches_gets_one_at_a_time() -> None:
    service = Bin(delete_max_size=None)
    await Operator(service).delete_many(["a", "b"])
    assert [len(batch) for batch in service.batches] == [1, 1]


async def test_no_more_are_in_flight_than_asked() -> None:
    service = Bin(delete_max_size=1)
    await Operator(service).delete_many([str(one) for one in range(20)], concurrent=4)
    assert service.most_in_flight == 4


async def test_iterables_of_every_sort_will_do_and_entries_carry_their_version() -> None:
    async def asynchronous() -> AsyncIterator[Entry]:
        yield Entry("old", Metadata(version="v1"))
        yield Entry("/plain", Metadata())

    service = Bin()
    op = Operator(service)
    await op.delete_many(path for path in ("a", "b"))
    await op.delete_many(asynchronous())
    await op.delete_many([])
    assert service.batches == [
        [("a", OpDelete()), ("b", OpDelete())],
        [("old", OpDelete(version="v1")), ("plain", OpDelete())],
    ]


async def test_each_that_failed_is_named_and_the_others_are_gone() -> None:
    service = Bin()
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(service).delete_many(["a", "bad1", "b", "refused", "c", "bad2"])
    error = caught.value
    assert {failure.path: failure.kind for failure in error.failures} == {
        "bad1": "PermissionDenied",
        "bad2": "PermissionDenied",
        "refused": "PermissionDenied",
    }
    assert (error.operation, error.scheme, error.is_temporary) == ("delete_many", "bin", False)
    assert {"a", "b", "c"} <= set(service.deleted)


async def test_refused_credentials_end_the_requests_and_each_deletion_is_named() -> None:
    service = Bin(delete_max_size=2)
    service.error = PermissionDenied("wrong keys")
    service.error.refuses_credentials = True
    paths = [f"f{number:03}" for number in range(100)]
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(service).delete_many([*paths, "d/"])
    assert MOST <= len(service.batches) < 3 * MOST
    assert sorted(str(failure.path) for failure in caught.value.failures) == ["d/", *paths]


async def test_a_request_that_fails_names_all_that_it_was_to_delete() -> None:
    service = Bin()
    service.error = Unexpected("lost", is_temporary=True)
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(service).delete_many(["a", Entry("b", Metadata(version="v"))])
    assert [(one.path, one.context.get("version")) for one in caught.value.failures] == [("a", None), ("b", "v")]
    assert caught.value.is_temporary


class Holding(Accessor):
    """Its bodies hold back two deletions, whatever is declared. It refuses some, and whole requests."""

    def __init__(self, declared: int | None) -> None:
        self.info = AccessorInfo("holding", native_capability=Capability(delete=True, delete_max_size=declared))
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.there = {f"f{one}" for one in range(9)}
        self.asked: list[str] = []

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, 2)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        self.asked.append(path)
        if path in self.refused | self.broken:
            raise PermissionDenied("no")
        self.there.remove(path)

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        paths = [path for path, _ in deletions]
        self.asked += paths
        if not self.broken.isdisjoint(paths):
            raise Unexpected("lost", is_temporary=True)
        self.there -= {*paths} - self.refused
        return [PermissionDenied("no", path=path) for path in paths if path in self.refused]


@pytest.mark.parametrize("declared", [None, 1, 2, 3, 5, 9, 20])
@pytest.mark.parametrize("refused", [{"f0"}, {"f1"}, {"f8"}, {"f0", "f1"}, {"f1", "f4", "f5", "f8"}])
async def test_of_bodies_that_hold_back_fewer_than_a_batch_every_deletion_is_made_or_named_once(
    declared: int | None, refused: set[str]
) -> None:
    service = Holding(declared)
    service.refused = refused
    asked = sorted(service.there)
    with pytest.raises(DeletionsFailed) as caught:
        await delete_many(service, Context(), asked, 1)
    assert sorted(str(one.path) for one in caught.value.failures) == sorted(refused) == sorted(service.there)
    assert sorted(service.asked) == asked


@pytest.mark.parametrize("declared", [None, 3, 5, 9])
async def test_of_requests_that_fail_as_a_whole_what_others_deleted_is_not_named(declared: int | None) -> None:
    service = Holding(declared)
    service.broken = {"f2", "f8"}
    asked = sorted(service.there)
    with pytest.raises(DeletionsFailed) as caught:
        await delete_many(service, Context(), asked, 1)
    assert sorted(str(one.path) for one in caught.value.failures) == sorted(service.there)
    assert {"f2", "f8"} <= service.there < set(asked)
    assert sorted(service.asked) == asked


@pytest.mark.parametrize("error", [Unexpected("lost"), InvalidInput("too odd"), NotFound("bucket", path="elsewhere")])
async def test_every_error_of_a_request_names_path_and_version_once(error: Error) -> None:
    service = Bin()
    service.error = error
    entries = [Entry("a", Metadata(version="v1")), Entry("a", Metadata(version="v2")), Entry("b", Metadata())]
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(service).delete_many(entries)
    failures = caught.value.failures
    assert [(one.path, one.context.get("version")) for one in failures] == [("a", "v1"), ("a", "v2"), ("b", None)]
    for one in failures:
        assert (str(one).count("path="), str(one).count("version=")) == (1, int(one.path == "a"))
        assert getattr(one, "filename", one.path) == one.path


def test_the_error_survives_pickling() -> None:
    error = DeletionsFailed.of([NotFound("m", path="a"), PermissionDenied("n", path="b")]).add_context(scheme="s3")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert [(one.kind, one.path) for one in copy.failures] == [("NotFound", "a"), ("PermissionDenied", "b")]
    assert copy.scheme == "s3"


@pytest.mark.parametrize("paths", ["a", 5, None, Entry("a", Metadata()), ["a", 5], ["a", "b\0"], (b"a",)], ids=repr)
async def test_what_cannot_work_is_refused_before_anything_is_deleted(paths: Any) -> None:
    service = Bin()
    with pytest.raises(InvalidInput) as caught:
        await Operator(service).delete_many(paths)
    assert (caught.value.operation, service.batches) == ("delete_many", [])


@pytest.mark.parametrize("concurrent", [0, -1, 1.5, "2"])
async def test_a_number_in_flight_that_cannot_work_is_refused(concurrent: Any) -> None:
    service = Bin()
    with pytest.raises(InvalidInput, match="concurrent"):
        await Operator(service).delete_many(["a"], concurrent=concurrent)
    assert service.batches == []


async def test_a_version_is_refused_where_the_service_has_none() -> None:
    service = Bin(delete_with_version=False)
    op = Operator(service)
    with pytest.raises(Unsupported) as caught:
        await op.delete("a", version="v")
    assert (caught.value.operation, caught.value.path) == ("delete", "a")
    with pytest.raises(DeletionsFailed) as many:
        await op.delete_many([Entry("a", Metadata(version="v"))])
    assert [(one.kind, one.path) for one in many.value.failures] == [("Unsupported", "a")]
    assert service.deleted == []


async def test_without_the_capability_nothing_is_asked() -> None:
    service = Bin(delete=False)
    with pytest.raises(Unsupported) as caught:
        await Operator(service).delete_many(["a"])
    assert (caught.value.operation, service.batches) == ("delete_many", [])


async def test_a_source_that_fails_ends_it_without_a_task_left() -> None:
    async def source() -> AsyncIterator[str]:
        for one in range(7):
            yield f"f{one}"
        raise ValueError("the source")

    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="the source"):
        await Operator(Bin()).delete_many(source())
    assert asyncio.all_tasks() == before


async def test_directories_are_deleted_after_everything_else_the_deepest_first() -> None:
    service = Bin(delete_max_size=2)
    await Operator(service).delete_many(["/", "a/", "a/b/", "a/b/f", "a/g", "c/", "h"])
    assert sorted(service.deleted[:3]) == ["a/b/f", "a/g", "h"]
    assert service.deleted[3:] == ["a/b/", "c/", "a/", "/"]


async def test_no_request_deletes_a_directory_and_what_is_in_it() -> None:
    """A server that looks whether the directory is empty would keep it. Others get no further request."""
    nested = ["a/", "a/b/", "a/b/c/d/", "e/", "f"]
    for paths, batches in [
        (nested, [["f"], ["a/b/c/d/", "e/"], ["a/b/"], ["a/"]]),
        ([f"{name}/" for name in "abcd"], [["a/", "b/", "c/", "d/"]]),
        (["x/y/z", "v"], [["x/y/z", "v"]]),
        (["a/", "a/b/", "a/b//", "a/b//c/"], [["a/b//c/"], ["a/b//"], ["a/b/"], ["a/"]]),  # empty names count
    ]:
        service = Bin(delete_max_size=10)
        await Operator(service).delete_many(paths)
        assert [[path for path, _ in batch] for batch in service.batches] == batches


@dataclass(frozen=True)
class _Lacking(ServiceConfig):
    """A flat store with a key in its root that no path can name, so that listings leave it out."""

    SCHEME = "lacking"

    def build(self, context: Context) -> Accessor:
        memory = Memory().build(context)
        native = replace(memory.info.native_capability, delete_with_recursive=False)

        class Wrapped(LayeredAccessor):
            def __init__(self) -> None:
                super().__init__(memory)
                self.info = replace(memory.info, native_capability=native)

            async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
                response, body = await self.inner.list(path, args)
                return response, _LackingLister(body, path)

        return Wrapped()


class _LackingLister(oio.List):
    def __init__(self, inner: oio.List, path: str) -> None:
        self.next, self.close, self._path = inner.next, inner.close, path  # type: ignore[method-assign]

    def left_out(self) -> Sequence[oio.LeftOut]:
        return [oio.left_out_names("/", "/key", 1)] if self._path == "/" else []


async def test_a_recursive_deletion_fails_where_the_listing_leaves_something_out() -> None:
    op = Operator(_Lacking())
    for path in ("a/b", "c"):
        await op.write(path, b"1")
    await op.delete("a/", recursive=True)
    with pytest.raises(DeletionsFailed) as failed:
        await op.delete("/", recursive=True)
    assert [(error.path, error.kind) for error in failed.value.failures] == [("/", "Unsupported")]
    assert [entry.path for entry in await op.list("/", recursive=True) if entry.is_file] == []
