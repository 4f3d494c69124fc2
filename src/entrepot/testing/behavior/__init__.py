"""The behaviour suite: what every service does alike, as cases that need no test framework.

    for case in cases_for(operator.info):
        await run_case(case, operator)

A case states what it needs. Where the service has that, the case must pass; where it has not, the
case is not applicable, and another one holds that what is missing is refused. `CASES` are all of them;
each module here is a room of them.
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
    *("write", "append", "list", "delete", "create_dir", "copy", "copy_to", "rename", "versions", "uploads"),
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
        info: what the service is, `operator.info`.
        can_put: whether `run_case` will be given a way to put objects there.
    """
    return tuple(case for case in CASES if not case.unmet(info, can_put=can_put))


async def run_case(case: Case, operator: Operator, put: Put | None = None) -> None:
    """Runs one case. It makes objects of its own beneath the root and leaves them there.

    Arguments:
        case: what to run.
        operator: what to run it on.
        put: how to put an object into a storage that the operator cannot write to: a coroutine function of a
            path and bytes. Without it, cases of a storage that can only be read find `FIXTURES` there.

    Raises:
        AssertionError: the service does something else than every service does.
        Error: the service fails.
    """
    await case.run(Target(operator, case.name, put))
