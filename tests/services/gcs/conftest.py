"""The server of the tests of the gcs service, fresh for each test that needs faults, and operators on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.services import Gcs
from entrepot.testing import StrictGcs, strict_gcs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StrictGcs]:
    with strict_gcs(tmp_path) as server:
        yield server


@pytest.fixture
def config(server: StrictGcs) -> Gcs:
    return Gcs(server.bucket, "/root", server.endpoint, token=server.access.token)


@pytest.fixture
def op(config: Gcs) -> Operator:
    """One attempt for each request."""
    return Operator(config, resilient=False)
