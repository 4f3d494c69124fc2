"""What is switched off is refused, limits that are lowered are kept, and nothing is made up."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from entrepot import BytesRange, InvalidInput, Operator, Unsupported
from entrepot.layers import CapabilityOverrideLayer
from entrepot.raw import OPERATIONS, Context, Operation, OpPresign, OpRead
from entrepot.services import S3, Fs, Memory
from entrepot.testing import CASES, run_case
from entrepot.testing.behavior import IoRecorder
from tests.behavior.targets import TARGETS
from tests.conftest import s3_config
from tests.layers.calls import PATH, Service

FIXED = {"read_can_seek", "read_can_next", "list_can_prefix", "write_multi_min_size", "write_multi_max_size"}
REFUSALS = {case.name.removeprefix("refusals."): case for case in CASES if case.name.startswith("refusals.")}
S3_SAMPLE = TARGETS["seaweedfs"].sample


def flags_of(config):
    """What is true of a service and can be switched off so that a call is refused."""
    capability = Operator(config).info.capability
    return [name for name in REFUSALS if getattr(capability, name)]


SWITCHED_OFF = [
    pytest.param(config, flag, id=f"{config.SCHEME}-{flag}")
    for config in (Memory(versioned=True), Fs("/tmp"), S3_SAMPLE)
    for flag in flags_of(config)
]


@pytest.mark.parametrize(("config", "flag"), SWITCHED_OFF)
async def test_what_is_switched_off_is_refused_before_any_io(config, flag):
    """The suite's own case of the flag, which looks at type, operation and path of the error, and at the I/O."""
    op = Operator(config).layer(CapabilityOverrideLayer(**{flag: False}))
    assert not getattr(op.info.capability, flag)
    await run_case(REFUSALS[flag], op)


def test_every_flag_of_a_call_is_switched_off_on_some_service():
    tried = {param.values[1] for param in SWITCHED_OFF}
    assert REFUSALS.keys() - tried == set()


async def test_the_blocking_twin_refuses_it_as_well():
    op = Operator(Memory()).layer(CapabilityOverrideLayer(write_with_if_match=False)).blocking()
    with pytest.raises(Unsupported) as caught:
        op.write("a", b"", if_match='"e"')
    assert (caught.value.operation, caught.value.path) == ("write", "a")
    op.write("a", b"content")
    assert op.read("a") == b"content"


async def test_what_is_left_works_as_before():
    op = Operator(Memory()).layer(CapabilityOverrideLayer(write_with_content_type=False, copy=False))
    await op.write("a", b"content", cache_control="no-store")
    assert (await op.stat("a")).cache_control == "no-store"
    await op.rename("a", "b")
    assert await op.read("b") == b"content"


async def test_a_function_gives_the_capability_too():
    def change(capability):
        return replace(capability, rename=False)

    for layer in (CapabilityOverrideLayer(change), CapabilityOverrideLayer(change=change)):
        await _check_has_no_rename(Operator(Memory()).layer(layer))


async def _check_has_no_rename(op):
    with pytest.raises(Unsupported):
        await op.rename("a", "b")


async def test_what_the_stack_completes_stays():
    """A suffix is asked for in another way where the service has none; the layer stands outside of that."""
    op = Operator(Memory()).layer(CapabilityOverrideLayer(stat=False))
    await op.write("a", b"content")
    assert await op.read("a", range=BytesRange(suffix=3)) == b"ent"
    await op.create_dir("d/")
    assert [entry.path for entry in await op.list("/")] == ["/", "a", "d/"]


async def test_an_option_that_is_off_is_not_signed_either():
    service = Service()
    accessor = CapabilityOverrideLayer(read_with_if_match=False).wrap(service, Context())
    asked = OpPresign(operation=OpRead(if_match='"e"'), expires=timedelta(minutes=1))
    with pytest.raises(Unsupported):
        await accessor.presign(PATH, asked)
    assert service.arrived == []
    plain = OpPresign(operation=OpRead(), expires=timedelta(minutes=1))
    await accessor.presign(PATH, plain)
    assert service.arrived == [(Operation.PRESIGN, (PATH, plain))]


def test_what_the_service_itself_can_is_still_told():
    before, after = Operator(Fs("/tmp")), Operator(Fs("/tmp")).layer(CapabilityOverrideLayer(rename=False))
    assert after.info == replace(before.info, capability=replace(before.info.capability, rename=False))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("layer", [CapabilityOverrideLayer(), CapabilityOverrideLayer(stat=True)])
def test_a_layer_that_changes_nothing_costs_nothing(layer, operation):
    service = Service()
    assert getattr(layer.wrap(service, Context()), operation) == getattr(service, operation)


@pytest.mark.parametrize("config", [Memory(), Fs("/tmp"), S3_SAMPLE], ids=["memory", "fs", "s3"])
def test_nothing_is_switched_on_that_is_not_there(config):
    capability = Operator(config).info.capability
    lacking = [flag.name for flag in fields(capability) if flag.type == "bool" and not getattr(capability, flag.name)]
    assert len(lacking) > 3
    for flag in lacking:
        with pytest.raises(InvalidInput, match=f"no {flag} to switch on") as caught:
            Operator(config).layer(CapabilityOverrideLayer(**{flag: True}))
        assert caught.value.scheme == config.SCHEME


@pytest.mark.parametrize("flag", sorted(FIXED))
def test_what_no_layer_can_change_is_refused(flag):
    value = 6 * 1024 * 1024 if "size" in flag else False
    with pytest.raises(InvalidInput, match=flag):
        Operator(S3_SAMPLE).layer(CapabilityOverrideLayer(**{flag: value}))


@pytest.mark.parametrize("limit", [1001, None])
def test_a_limit_is_not_raised(limit):
    with pytest.raises(InvalidInput, match="delete_max_size can be lowered from 1000"):
        Operator(S3_SAMPLE).layer(CapabilityOverrideLayer(delete_max_size=limit))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stat", value) for value in (1, None, "no")),
        *(("delete_max_size", value) for value in (0, -1, True, 1.5)),
        ("write_total_max_size", "1"),
    ],
)
def test_values_of_the_wrong_type_are_refused_and_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        CapabilityOverrideLayer(**{name: value})


def test_an_unknown_flag_is_refused_and_the_nearest_named():
    with pytest.raises(InvalidInput, match="'stat_with_versions'; did you mean 'stat_with_version'"):
        CapabilityOverrideLayer(stat_with_versions=False)


@pytest.mark.parametrize(("change", "flags"), [(1, {}), (lambda capability: capability, {"stat": False})])
def test_it_is_either_flags_or_one_function(change, flags):
    with pytest.raises(InvalidInput):
        CapabilityOverrideLayer(change, **flags)


@pytest.mark.parametrize(
    "change",
    [
        lambda capability: None,
        lambda capability: {"stat": False},
        lambda capability: replace(capability, stat=2),
        lambda capability: replace(capability, delete_max_size=0),
        lambda capability: replace(capability, copy_with_source_version=True),
    ],
)
def test_what_a_function_gives_is_checked(change):
    with pytest.raises(InvalidInput):
        Operator(Memory()).layer(CapabilityOverrideLayer(change))


async def test_an_object_larger_than_the_limit_is_refused():
    op = Operator(Memory()).layer(CapabilityOverrideLayer(write_total_max_size=5))
    await op.write("a", b"12345")
    with pytest.raises(InvalidInput):
        await op.write("b", b"123456")
    with pytest.raises(InvalidInput):
        await op.write("c", [b"123", b"456"])
    assert [entry.path for entry in await op.list("/")] == ["/", "a"]


@pytest.mark.parametrize("call", ["delete_many", "recursive"])
async def test_a_lowered_batch_is_what_one_request_deletes(seaweedfs_server, call):
    recorder = IoRecorder()
    config = s3_config(seaweedfs_server)
    assert isinstance(config, S3)
    op = Operator(config).layer(recorder).layer(CapabilityOverrideLayer(delete_max_size=3))
    paths = [f"d/{number}" for number in range(7)]
    for path in paths:
        await op.write(path, b"")
    recorder.calls.clear()
    if call == "delete_many":
        await op.delete_many(paths)
    else:
        await op.delete("d/", recursive=True)
    posts = recorder.calls.count("POST request")
    assert posts == 2  # three and three; the one that is left goes by a request of its own
    assert "DELETE request" in recorder.calls
    assert not [entry for entry in await op.list("d/", recursive=True) if entry.metadata.is_file]
