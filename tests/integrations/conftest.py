"""One operator of memory, fs and s3, each over an empty root."""

from __future__ import annotations

import pytest

from entrepot import Operator
from tests.integrations.storages import opened


@pytest.fixture(params=["memory", "fs", "s3"])
def operator(request: pytest.FixtureRequest) -> Operator:
    return opened(request, request.param)
