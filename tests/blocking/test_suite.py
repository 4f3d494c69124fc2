"""The behaviour suite on the blocking twin of each service: without a loop, or on the loop of the process."""

import pytest

from entrepot.testing import cases_for, run_case
from tests.behavior.lacking import LACKING
from tests.behavior.targets import DECLARED, TARGETS
from tests.blocking.awaited import AwaitedOperator

IN_MEMORY = cases_for(TARGETS["memory"].info)
FIRST = [targets[0].name for targets in DECLARED.values()]
RUNS = [
    pytest.param(name, case, id=f"{name}-{case.name}")
    for name in (*FIRST, "memory_versioned")
    for case in cases_for(TARGETS[name].info, can_put=TARGETS[name].can_put)
    if case.name not in LACKING[name] and not (name == "memory_versioned" and case in IN_MEMORY)
]


@pytest.mark.parametrize(("name", "case"), RUNS)
async def test_case(name, case, request):
    storage = TARGETS[name].make(request, case)
    async with AwaitedOperator(storage.operator) as operator:
        await run_case(case, operator, storage.put)
