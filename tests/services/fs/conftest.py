"""The fs service under both runtimes and both ways of confinement."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs
from entrepot.services.fs.kernel import beneath, openat2

T = TypeVar("T")


def descriptors() -> int:
    """The number of open files of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def names_in(directory: Path) -> list[str]:
    """The names in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())


class Run(Protocol):
    """Drives a coroutine to its result."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


@pytest.fixture(params=["asyncio", "inline"])
def runtime(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def context(runtime: str) -> Context:
    return Context(runtime=inline.InlineRuntime()) if runtime == "inline" else Context()


@pytest.fixture
def run(runtime: str) -> Iterator[Run]:
    if runtime == "inline":
        yield inline.run
        return
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=["kernel", "walk"])
def confinement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to keep inside the root."""
    name: str = request.param
    if name == "walk":
        monkeypatch.setattr(beneath, "kernel_confines", lambda: False)
    elif not beneath.kernel_confines():
        pytest.skip("this kernel, or the sandbox around it, has no openat2")
    return name


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every call of the kernel that must not wait fail, as if it had to wait."""

    def refuse(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(openat2, "open_cached", refuse)
    monkeypatch.setattr(openat2, "open_cached_without_links", refuse)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of the storage. Beside it lies a secret that no operator may show."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def op(root: Path, context: Context) -> Operator:
    return Operator(Fs(root), context=context)


@pytest.fixture
def op_at(context: Context) -> Callable[[object], Operator]:
    """Makes an operator over some other root."""
    return lambda root: Operator(Fs(str(root)), context=context)
