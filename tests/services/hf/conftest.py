"""A hub of each test alone, so that it can be interrupted and its requests counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from entrepot import Operator
from entrepot.services import Hf
from entrepot.testing.servers.hub import HubInProcess

MakeOperator = Callable[..., Operator]


@pytest.fixture
def server() -> Iterator[HubInProcess]:
    with ExitStack() as stack:
        yield HubInProcess(stack)


@pytest.fixture
def repo_id(server: HubInProcess) -> str:
    return server.new_repository("dataset")


@pytest.fixture
def operator(server: HubInProcess, repo_id: str) -> MakeOperator:
    """Makes an operator over a dataset, without retries unless `resilient=True` is given."""

    def make(*, resilient: bool = False, **options: Any) -> Operator:
        options = {"token": server.token, "endpoint": server.endpoint, "disable_config_load": True} | options
        return Operator(Hf(options.pop("repo_id", repo_id), "dataset", **options), resilient=resilient)

    return make
