"""Real servers, each started once in a test process, and one storage of each service to test against."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from entrepot import Operator
from entrepot import testing as entrepot_testing
from entrepot.raw.suite import Place, Store
from entrepot.services import S3
from entrepot.services.s3.behavior import config_for
from entrepot.testing import Nginx, NotInstalled, S3Server
from tests.behavior.targets import DECLARED, SERVERS, new_root, opened
from tests.slow import has_no_cover, is_in, is_slow
from tests.transports import CHOICE, IS_BLOCKING, NOT_IN_THREADS

for _name in list(os.environ):
    if _name.startswith(("AWS_", "AZURE_")) or _name.lower().endswith("_proxy"):
        del os.environ[_name]
os.environ |= {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Nothing of the machine that runs the tests decides where a bucket is, who asks, or by which proxy."""


LOOP = os.environ.get("ENTREPOT_TEST_LOOP", "asyncio")
"""The event loop of tests that are coroutines: asyncio's or uvloop's (`make test-uvloop`)."""


PART = os.environ.get("ENTREPOT_TEST_PART", "0/1")
"""The part of the tests that repeat what others do (`make test-rest PART=0/3`); all of them by default."""


ALL_SERVERS = bool(os.environ.get("ENTREPOT_TEST_ALL_SERVERS"))
"""Whether a server that is not installed fails its tests, which are skipped otherwise (`make servers`)."""


def pytest_report_header() -> str:
    """Says which transport and event loop the tests run over, and which part of those that repeat others."""
    return f"transport: {CHOICE}, event loop: {LOOP}, part: {PART}"


if LOOP == "uvloop":

    def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        """The loop of each test; pytest-asyncio has no option for it."""
        import uvloop

        return {"uvloop": uvloop.new_event_loop}


settings.register_profile("entrepot", deadline=None)  # a loaded machine is no fault
settings.load_profile("entrepot")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Does not import a file whose tests are all slow for a run without them, which saves a quarter of the time."""
    is_left_out = "not slow" in config.option.markexpr and is_slow(str(collection_path.relative_to(config.rootpath)))
    return True if is_left_out else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.nodeid):
            item.add_marker("slow")
            if has_no_cover(item.nodeid):
                item.add_marker("no_cover")  # of pytest-cov
        if IS_BLOCKING and NOT_IN_THREADS.search(item.nodeid):
            item.add_marker(pytest.mark.skip("a call in a thread has no such case"))
    left_out = [item for item in items if not is_in(PART, item.nodeid)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if is_in(PART, item.nodeid)]


def _freeze_what_stays() -> None:
    """Keeps what there is out of later collections of garbage, which tests of leaks make by the hundred."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    _freeze_what_stays()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Freezes what a file leaves, above all the modules of the libraries that it imported."""
    if nextitem is not None and nextitem.path != item.path:
        _freeze_what_stays()


@contextmanager
def _skip_without_server() -> Iterator[None]:
    try:
        yield
    except NotInstalled as missing:
        if ALL_SERVERS:
            raise
        pytest.skip(str(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Skips a test for which a fixture starts a server that is not installed."""
    with _skip_without_server():
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)  # within the wrapper of pytest-cov, which may stop its tracing
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skips a test that itself starts such a server.

    Refuses one that leaves another trace function: nothing after it would be measured.
    """
    before = sys.gettrace()
    with _skip_without_server():
        result = yield
    if sys.gettrace() is not before:
        sys.settrace(before)
        pytest.fail("the test leaves another trace function than it found")
    return result


@dataclass(frozen=True)
class Storage(Store):
    """One service over an empty root, and a way to put an object there without our own code."""

    @property
    def scheme(self) -> str:
        return self.config.SCHEME

    @property
    def operator(self) -> Operator:
        return Operator(self.config)


def _server_fixture(name: str) -> Any:
    @pytest.fixture(scope="session", name=f"{name}_server")
    def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        with getattr(entrepot_testing, name)(tmp_path_factory.mktemp(name)) as running:
            yield running

    return server


for _name in SERVERS:
    globals()[f"{_name}_server"] = _server_fixture(_name)


@pytest.fixture(params=DECLARED)
def storage(request: pytest.FixtureRequest) -> Storage:
    """A storage of each service, empty: that of its first target."""
    store = opened(DECLARED[request.param][0], request)
    return Storage(store.config, store.put)


def http_storage(server: Nginx) -> Storage:
    """A new root on a web server."""
    store = DECLARED["http"][0].open(Place(server.folder, new_root(), server))
    return Storage(store.config, store.put)


def s3_config(server: S3Server, bucket: str | None = None) -> S3:
    """A new root in a bucket of the server."""
    return config_for(server, bucket or server.bucket, new_root())
