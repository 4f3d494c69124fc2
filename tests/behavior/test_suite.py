"""The behaviour suite on every service: each case that applies passes, or its server is known to lack it."""

from dataclasses import fields

import pytest

from entrepot import Capability
from entrepot.testing import CASES, cases_for, run_case
from tests.behavior.lacking import LACKING, Sometimes
from tests.behavior.targets import TARGETS


def marks(target, case):
    if TARGETS[target].needs_servers:
        yield pytest.mark.servers
    if (reason := LACKING[target].get(case.name)) is not None:
        # The workers of a run send reasons as plain text.
        yield pytest.mark.xfail(strict=not isinstance(reason, Sometimes), reason=str(reason))


RUNS = [
    pytest.param(target, case, id=f"{target}-{case.name}", marks=[*marks(target, case)])
    for target, kind in TARGETS.items()
    for case in cases_for(kind.info, can_put=kind.can_put)
]


@pytest.mark.parametrize(("target", "case"), RUNS)
async def test_case(target, case, request):
    storage = TARGETS[target].make(request, case)
    async with storage.operator:
        await run_case(case, storage.operator, storage.put)


def says_no(kind, need):
    """Whether a service says by its capability that it has not what a case needs."""
    capability = kind.info.capability
    match need.split():
        case ["not", flag]:
            return bool(getattr(capability, flag))
        case ["put"]:
            return not (kind.can_put or capability.write)
        case ["flat"]:
            return kind.info.native_capability.create_dir
        case [flag]:
            return not getattr(capability, flag)


@pytest.mark.parametrize("target", TARGETS)
def test_a_case_is_not_applicable_exactly_where_the_capability_says_so(target):
    kind = TARGETS[target]
    run = {param.values[1].name for param in RUNS if param.values[0] == target}
    refused = {case.name for case in CASES if any(says_no(kind, need) for need in case.needs)}
    assert run.isdisjoint(refused)
    assert run | refused == {case.name for case in CASES}


def test_every_case_runs_on_some_service_and_fails_on_no_service_of_ours():
    """Flags that all our services have are taken from one in `test_catches.py`, for the cases of their refusal."""
    run = {param.values[1].name for param in RUNS if not TARGETS[param.values[0]].needs_servers}
    never = {case.name for case in CASES} - run
    assert {name for name in never if not name.startswith("refusals.")} == {"write.empty_object_is_refused"}
    assert not any(LACKING[name] for name in ("memory", "memory_versioned", "fs", "http"))


def test_what_is_lacking_are_cases_that_apply():
    run = {(param.values[0], param.values[1].name) for param in RUNS}
    assert set(LACKING) == set(TARGETS)
    assert not {(target, name) for target, names in LACKING.items() for name in names} - run
    assert all(reason for names in LACKING.values() for reason in names.values())


def test_few_servers_of_every_run_lack_something_by_chance():
    """Those that look for an object and store it in two steps, or whose etags depend on the clock."""
    every_run = [name for name, target in TARGETS.items() if not target.needs_servers]
    by_chance = {name for name in every_run if any(isinstance(why, Sometimes) for why in LACKING[name].values())}
    assert by_chance == {"moto", "webdav", "webdav_apache", "webhdfs_httpfs"}


def test_every_flag_has_a_case_that_it_is_refused_without():
    shapes = {"read_can_seek", "read_can_next", "write_can_empty", "list_can_prefix", "shared"}
    flags = {flag.name for flag in fields(Capability) if flag.type == "bool"} - shapes
    assert {case.name.removeprefix("refusals.") for case in CASES if case.name.startswith("refusals.")} == flags


def test_every_case_says_what_it_is_about():
    generated = ("conditions.", "read_only.", "refusals.", "paths.", "write.", "overrides.")
    silent = [case.name for case in CASES if not case.run.__doc__ and not case.name.startswith(generated)]
    assert not silent
