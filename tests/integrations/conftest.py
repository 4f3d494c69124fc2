"""One operator of memory, fs and s3, each over an empty root."""

from __future__ import annotations

import pytest

from entrepot import Operator
from entrepot.services import Fs, Memory
from tests.conftest import s3_config


@pytest.fixture(params=["memory", "fs", "s3"])
def operator(request: pytest.FixtureRequest) -> Operator:
    if request.param == "memory":
        return Operator(Memory())
    if request.param == "fs":
        return Operator(Fs(request.getfixturevalue("tmp_path") / "store"))
    return Operator(s3_config(request.getfixturevalue("moto_server")))
