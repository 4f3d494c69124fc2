"""Operators for the tests of integrations."""

from __future__ import annotations

import pytest

from entrepot import Operator
from entrepot.services import Fs, Memory
from tests.conftest import s3_config


def opened(request: pytest.FixtureRequest, name: str) -> Operator:
    """An operator of memory, fs or s3 over an empty root; `"moto"` is s3 on another server.

    The server of s3 is SeaweedFS. It lists directories whose last object is gone, which moto does not.
    """
    if name == "memory":
        return Operator(Memory())
    if name == "fs":
        return Operator(Fs(request.getfixturevalue("tmp_path") / "store"))
    return Operator(s3_config(request.getfixturevalue("moto_server" if name == "moto" else "seaweedfs_server")))
