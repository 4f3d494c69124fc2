"""The type of a case, and the list of all cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Final

from entrepot.raw import AccessorInfo
from entrepot.types import Capability

from .target import Target

Run = Callable[[Target], Awaitable[None]]

PUT: Final = "put"
"""The need for a way to put objects into the storage: `write`, or the function that `run_case` got."""

FLAT: Final = "flat"
"""The need for a service whose names are keys and that has no native directories: any name can be a key."""

_NOT: Final = "not "
_KNOWN: Final = {PUT, FLAT, *(flag.name for flag in fields(Capability))}


@dataclass(frozen=True, slots=True)
class Case:
    """One behaviour that all services share.

    Arguments:
        name: the room and the behaviour, such as `"read.range_is_clamped"`.
        needs: requirements on the service: names of flags of `Capability`; `"put"`, a way to put objects there;
            `"flat"`, names that are keys; and any of these after `"not "`, such as `"not read_with_version"`.
        run: checks it. Raises `AssertionError` or an error of entrepot where the service differs.
    """

    name: str
    needs: tuple[str, ...]
    run: Run

    def __post_init__(self) -> None:
        for need in self.needs:
            if need.removeprefix(_NOT) not in _KNOWN:
                raise ValueError(f"the case {self.name} has an unknown need: {need!r}")

    def unmet(self, info: AccessorInfo, *, can_put: bool = False) -> list[str]:
        """The needs that a service does not meet. A case with unmet needs is not applicable, which is not a pass.

        Arguments:
            info: the service's `operator.info`.
            can_put: whether objects can be put there by other means than `write`.
        """
        return [need for need in self.needs if not _is_met(need, info, can_put)]


_REGISTERED: Final[list[Case]] = []


def case(*needs: str) -> Callable[[Run], Run]:
    """Registers a coroutine function as a case, named after its module and itself."""

    def register_run(run: Run) -> Run:
        register(f"{run.__module__.rpartition('.')[2]}.{run.__name__}", needs, run)
        return run

    return register_run


def register(name: str, needs: tuple[str, ...], run: Run) -> None:
    """Registers a case under a given name, for a module that makes its cases from a table."""
    _REGISTERED.append(Case(name, needs, run))


def registered() -> tuple[Case, ...]:
    """All cases, in the order of their modules."""
    names = [case.name for case in _REGISTERED]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"cases share a name: {', '.join(sorted(repeated))}")
    return tuple(_REGISTERED)


def _is_met(need: str, info: AccessorInfo, can_put: bool) -> bool:
    if need.startswith(_NOT):
        return not _is_met(need.removeprefix(_NOT), info, can_put)
    if need == PUT:
        return info.capability.write or can_put
    if need == FLAT:
        return not info.native_capability.create_dir  # the completed capability has it on flat services too
    return bool(getattr(info.capability, need))
