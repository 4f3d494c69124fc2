"""`stat_many`: the metadata of many paths."""

import asyncio

import pytest

from entrepot import (
    Capability,
    Entry,
    InvalidInput,
    Metadata,
    NotFound,
    Operator,
    PermissionDenied,
    Unsupported,
)
from entrepot.raw import Accessor, AccessorInfo, RpStat, ServiceConfig


class Shelf(ServiceConfig, Accessor):
    SCHEME = "shelf"

    def __init__(self, **flags):
        self.info = AccessorInfo(
            "shelf", native_capability=Capability(**({"stat": True, "stat_with_version": True} | flags))
        )
        self.in_flight = self.most_in_flight = 0
        self.asked = []

    def build(self, context):
        return self

    async def stat(self, path, args):
        self.asked.append(path)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0.001 if path == "slow" else 0)
        finally:
            self.in_flight -= 1
        if path.startswith("no"):
            raise NotFound("no such object")
        if path == "secret":
            raise PermissionDenied("refused")
        return RpStat(metadata=Metadata(etag=f"{path}@{args.version}"))


def etags(found):
    return [None if metadata is None else metadata.etag for metadata in found]


async def test_results_are_in_the_order_of_the_paths_and_missing_ones_are_none():
    shelf = Shelf()
    found = await Operator(shelf).stat_many(["slow", "no", "a", Entry("b", Metadata(version="v1")), "slow"])
    assert etags(found) == ["slow@None", None, "a@None", "b@v1", "slow@None"]
    assert await Operator(shelf).stat_many([]) == []


async def test_no_more_are_in_flight_than_asked_and_paths_are_drawn_as_needed():
    shelf, drawn = Shelf(), []

    async def paths():
        for number in range(20):
            drawn.append(number)
            assert number - len(shelf.asked) <= 4
            yield f"p{number}"

    assert len(await Operator(shelf).stat_many(paths(), concurrent=4)) == 20
    assert (shelf.most_in_flight, len(drawn)) == (4, 20)


async def test_another_error_names_its_path_and_leaves_no_call_running():
    shelf = Shelf()
    with pytest.raises(PermissionDenied) as raised:
        await Operator(shelf).stat_many(["a", "secret", *["slow"] * 10], concurrent=3)
    assert (raised.value.operation, raised.value.path, raised.value.scheme) == ("stat_many", "secret", "shelf")
    assert (shelf.in_flight, len(shelf.asked) < 12) == (0, True)


@pytest.mark.parametrize("paths", ["a", 5, Entry("a", Metadata()), ["a", 5], ("a", "b\0")])
async def test_what_is_not_many_paths_is_refused_before_any_request(paths):
    shelf = Shelf()
    with pytest.raises(InvalidInput) as raised:
        await Operator(shelf).stat_many(paths)
    assert raised.value.operation == "stat_many"
    assert shelf.asked == []


async def test_a_service_without_stat_says_so():
    with pytest.raises(Unsupported):
        await Operator(Shelf(stat=False)).stat_many(["a"])


@pytest.mark.parametrize("storage", ["memory", "fs", "http", "s3"], indirect=True)
async def test_every_service_gives_what_stat_gives(storage):
    storage.put("a", b"1")
    storage.put("d/b", b"22")
    op = storage.operator
    found = await op.stat_many(["a", "missing", "d/b", "a/below"])
    assert found == [await op.stat("a"), None, await op.stat("d/b"), None]
