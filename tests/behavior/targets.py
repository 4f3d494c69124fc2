"""The targets of the behaviour suite, as the services declare them, and how a test opens one."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import count

import pytest

from entrepot import Operator
from entrepot.raw import AccessorInfo, ServiceConfig
from entrepot.raw.suite import Place, Store, SuiteTarget
from entrepot.services.registry import SCHEMES, service_class
from entrepot.testing import Case
from entrepot.testing.behavior import Put

_serial = count()


@dataclass(frozen=True)
class Storage:
    """A storage to run a case on, and a way to put objects there where the operator cannot."""

    operator: Operator
    put: Put | None = None


@dataclass(frozen=True)
class Target:
    """One declared target."""

    declared: SuiteTarget

    @property
    def sample(self) -> ServiceConfig:
        return self.declared.sample

    @cached_property
    def info(self) -> AccessorInfo:
        return Operator(self.sample).info

    @property
    def can_put(self) -> bool:
        """Whether objects are put there by other means than the service: where it cannot write."""
        return not self.info.capability.write

    @property
    def needs_servers(self) -> bool:
        return self.declared.needs_extra

    def make(self, request: pytest.FixtureRequest, case: Case) -> Storage:
        """An empty storage."""
        store = opened(self.declared, request, is_versioned=case.name.startswith("versions."))

        async def put(path: str, content: bytes) -> None:
            await asyncio.to_thread(store.put, path, content)

        return Storage(Operator(store.config), put if self.can_put else None)


def new_root() -> str:
    """The name of a directory that no other test uses, in this process or another."""
    return f"root-{os.getpid()}-{next(_serial)}"


def opened(target: SuiteTarget, request: pytest.FixtureRequest, *, is_versioned: bool = False) -> Store:
    """The storage of a target in an empty place. The server is started once in a session."""
    server = request.getfixturevalue(f"{target.server}_server") if target.server else None
    return target.open(Place(request.getfixturevalue("tmp_path"), new_root(), server, is_versioned))


DECLARED: dict[str, tuple[SuiteTarget, ...]] = {
    str(config.SCHEME): import_module(f"{config.__module__.rpartition('.')[0]}.behavior").TARGETS
    for config in dict.fromkeys(map(service_class, SCHEMES))
}
"""The targets of each service, by its scheme."""

TARGETS = {target.name: Target(target) for targets in DECLARED.values() for target in targets}
"""The targets of all services, by name."""

SERVERS = tuple(dict.fromkeys(target.declared.server for target in TARGETS.values() if target.declared.server))
"""The functions of `entrepot.testing` that start the servers of the targets."""
