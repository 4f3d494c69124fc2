"""The suite that fsspec has for its implementations: `fsspec.tests.abstract`."""

from __future__ import annotations

import posixpath

import pytest

from entrepot.integrations.fsspec import EntrepotFileSystem
from tests.integrations.storages import opened

abstract = pytest.importorskip("fsspec.tests.abstract")


class Fixtures(abstract.AbstractFixtures):
    @pytest.fixture(params=["memory", "fs", "moto"])
    def fs(self, request: pytest.FixtureRequest):
        return EntrepotFileSystem(opened(request, request.param))

    @pytest.fixture
    def fs_path(self):
        return "folder"

    @pytest.fixture
    def fs_join(self):
        return posixpath.join


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    pass
