"""The servers that only `make behavior-all` starts."""

import os

import pytest

from tests.behavior.targets import SERVERS, started

collect_ignore = [] if os.environ.get("ENTREPOT_TEST") else ["test_real_store.py"]


def _server_fixture(name):
    @pytest.fixture(scope="session", name=f"{name}_server")
    def server(tmp_path_factory):
        with started(name, tmp_path_factory.mktemp(name)) as running:
            yield running

    return server


for _name in set(SERVERS) - {"juicefs"}:  # that one is for other tests too
    globals()[f"{_name}_server"] = _server_fixture(_name)
