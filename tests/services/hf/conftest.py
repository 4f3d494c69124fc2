"""A hub of each test alone, so that it can be interrupted and its requests counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import Operator
from entrepot.services import Hf
from entrepot.testing import HubServer, hub

MakeOperator = Callable[..., Operator]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    with hub(tmp_path) as running:
        yield running


@pytest.fixture
def repo_id(server: HubServer) -> str:
    return server.new_repository("dataset")


@pytest.fixture
def operator(server: HubServer, repo_id: str) -> MakeOperator:
    """Makes an operator over a dataset, without retries unless `resilient=True` is given."""

    def make(*, resilient: bool = False, **options: Any) -> Operator:
        options = {"token": server.token, "endpoint": server.endpoint, "disable_config_load": True} | options
        return Operator(Hf(options.pop("repo_id", repo_id), "dataset", **options), resilient=resilient)

    return make
