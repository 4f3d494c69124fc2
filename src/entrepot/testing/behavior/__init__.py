"""The behaviour suite: the behaviour that all services share, as cases that need no test framework.

    for case in cases_for(operator.info):
        await run_case(case, operator)

A case states its needs. Where the service meets them, the case must pass; otherwise it is not applicable, and another
case checks that the missing operation or option is refused. `CASES` are all cases; each module here is one room.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from entrepot.facade.operator import Operator
from entrepot.raw import AccessorInfo

from .case import Case, registered
from .fixtures import FIXTURES
from .io_recorder import IoRecorder
from .target import Put, Target

__all__ = ["CASES", "FIXTURES", "ROOMS", "Case", "IoRecorder", "Put", "Target", "cases_for", "run_case"]

ROOMS: Final = (
    *("stat", "read", "conditions", "read_only"),
    *("write", "append", "list", "delete", "create_dir", "copy", "copy_to", "rename", "versions", "tags", "uploads"),
    *("presign", "overrides"),
    *("paths", "robustness", "refusals"),
)
"""The modules that hold cases; importing one registers its own."""

for _room in ROOMS:
    import_module(f"{__name__}.{_room}")

CASES: Final = registered()
"""All cases, ordered by room."""


def cases_for(info: AccessorInfo, *, can_put: bool = False) -> tuple[Case, ...]:
    """The cases that apply to a service.

    Arguments:
        info: the service's `operator.info`.
        can_put: whether `run_case` will get a function that puts objects into the storage.
    """
    return tuple(case for case in CASES if not case.unmet(info, can_put=can_put))


async def run_case(case: Case, operator: Operator, put: Put | None = None) -> None:
    """Runs one case. It creates its own objects below the root and leaves them there.

    Arguments:
        case: the case.
        operator: the operator to check.
        put: a coroutine function of a path and bytes that stores an object, for an operator that cannot write.
            Without it, the cases of a read-only storage expect `FIXTURES` in it.

    Raises:
        AssertionError: the service behaves differently.
        Error: the service fails.
    """
    await case.run(Target(operator, case.name, put))
