"""What only reads passes through untouched; all else is refused before the service is asked."""

import pickle
from datetime import timedelta

import pytest

from entrepot import Operator, Part, Unsupported
from entrepot.layers import PrefixLayer, ReadOnlyLayer, RetryLayer, TimeoutLayer
from entrepot.raw import (
    DEFAULT_DELETE,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    OPERATIONS,
    Context,
    Operation,
    OpPresign,
    ServiceConfig,
)
from entrepot.services import Fs, Memory
from entrepot.testing import cases_for, run_case
from entrepot.testing.behavior import IoRecorder
from tests.behavior.targets import TARGETS
from tests.conftest import s3_config
from tests.layers.calls import CALLS, PATH, Service

CHANGES = {"write", "create_dir", "delete", "copy", "rename", "set_tags", "abort_upload", "shared_upload"}
FAKE_S3 = TARGETS["seaweedfs"].sample
RUNS = [
    pytest.param(target, case, id=f"{target}-{case.name}")
    for target in ("memory", "memory_versioned", "fs")
    for case in cases_for(Operator(TARGETS[target].sample).layer(ReadOnlyLayer()).info, can_put=True)
]


@pytest.mark.parametrize(("target", "case"), RUNS)
async def test_all_that_the_suite_says_of_reading_holds(target, case, request):
    storage = TARGETS[target].make(request, case)
    await run_case(case, storage.operator.layer(ReadOnlyLayer()), storage.operator.write)


def test_the_suite_runs_the_cases_of_reading_and_those_of_refusals():
    names = {param.values[1].name for param in RUNS}
    assert {"read.range_is_clamped", "refusals.write", "refusals.delete", "refusals.copy"} <= names


@pytest.mark.parametrize("operation", CALLS, ids=str)
async def test_what_reads_passes_through_and_what_changes_does_not_arrive(operation):
    service = Service()
    call, arguments, answer = CALLS[operation]
    accessor = ReadOnlyLayer().wrap(service, Context())
    if operation.capability not in CHANGES:
        assert await call(accessor) is answer
        assert service.arrived[-1] == (operation, arguments)
        return
    with pytest.raises(Unsupported, match="read-only") as caught:
        await call(accessor)
    assert (caught.value.scheme, caught.value.operation) == ("test", operation.capability)
    assert service.arrived == []


@pytest.mark.parametrize("operation", sorted({*OPERATIONS} - CHANGES - {"presign"}))
def test_what_reads_is_the_inner_bound_method(operation):
    service = Service()
    assert getattr(ReadOnlyLayer().wrap(service, Context()), operation) == getattr(service, operation)


@pytest.mark.parametrize("presigned", [DEFAULT_WRITE, DEFAULT_DELETE], ids=["write", "delete"])
async def test_no_request_that_changes_something_is_signed(presigned):
    service = Service()
    accessor = ReadOnlyLayer().wrap(service, Context())
    with pytest.raises(Unsupported) as caught:
        await accessor.presign(PATH, OpPresign(operation=presigned, expires=timedelta(minutes=1)))
    assert (caught.value.operation, caught.value.path, service.arrived) == ("presign", PATH, [])


async def test_a_request_that_asks_about_an_object_is_signed():
    service = Service()
    asked = OpPresign(operation=DEFAULT_STAT, expires=timedelta(minutes=1))
    await ReadOnlyLayer().wrap(service, Context()).presign(PATH, asked)
    assert service.arrived == [(Operation.PRESIGN, (PATH, asked))]


@pytest.mark.parametrize("config", [Memory(), Fs("/tmp"), FAKE_S3], ids=["memory", "fs", "s3"])
def test_the_capability_says_so_and_nothing_else(config: ServiceConfig):
    before = Operator(config).info
    after = Operator(config).layer(ReadOnlyLayer()).info
    changed = {
        name for name in before.capability.__slots__
        if getattr(before.capability, name) != getattr(after.capability, name)
    }  # fmt: skip
    assert {"write", "delete", "copy"} <= changed
    assert not {name for name in changed if name.startswith(("read", "stat", "list", "presign_read"))}
    assert "shared" not in changed
    assert not any(getattr(after.capability, name) for name in changed)
    assert after.native_capability == before.native_capability


async def test_nothing_is_sent_to_a_server(seaweedfs_server):
    recorder = IoRecorder()
    writing = Operator(s3_config(seaweedfs_server))
    await writing.write("kept", b"content")
    op = Operator(s3_config(seaweedfs_server)).layer(recorder).layer(ReadOnlyLayer())
    for change in (
        op.write("a", b""),
        op.delete("kept"),
        op.delete("/", recursive=True),
        op.delete_many(["kept"]),
        op.copy("kept", "b"),
        op.create_dir("d/"),
        op.abort_uploads("/", older_than=timedelta()),
        op.abort_upload("a", "id"),
        op.start_upload("a"),
        op.upload_part("a", "id", 1, b"content"),
        op.complete_upload("a", "id", [Part(1, '"x"', 7)]),
        op.presign_write("a", 60),
        op.presign_delete("a", 60),
        op.presign_post("a", 60),
        op.presign_part("a", 60, "id", 1),
    ):
        with pytest.raises(Unsupported) as caught:
            await change
        assert caught.value.scheme == "s3"
    assert recorder.calls == []
    assert await writing.layer(ReadOnlyLayer()).read("kept") == b"content"


def test_the_blocking_twin_refuses_as_well(tmp_path):
    op = Operator(Fs(tmp_path)).layer(ReadOnlyLayer()).blocking()
    with pytest.raises(Unsupported) as caught:
        op.write("a", b"content")
    assert (caught.value.operation, caught.value.path) == ("write", "a")
    assert list(tmp_path.iterdir()) == []


def test_it_is_pickled_with_its_operator(tmp_path):
    op = pickle.loads(pickle.dumps(Operator(Fs(tmp_path)).layer(ReadOnlyLayer())))
    assert not op.info.capability.write


@pytest.mark.parametrize("others", [(), (TimeoutLayer(), RetryLayer()), (PrefixLayer("a/"),)], ids=len)
def test_the_service_is_told_to_change_nothing_by_itself(others):
    built = []

    class Noting(Memory):
        def build(self, context):
            built.append(context.is_read_only)
            return super().build(context)

    op = Operator(Noting(), layers=others)
    for place in range(len(others) + 1):
        Operator(Noting(), layers=(*others[:place], ReadOnlyLayer(), *others[place:]))
    op.layer(ReadOnlyLayer()).blocking()
    op.layer(ReadOnlyLayer()).at("b/")
    assert built[0] is False
    assert set(built[1:]) == {True}
