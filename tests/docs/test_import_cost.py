"""The import of the operator loads only what every user needs, and `import entrepot` nothing.

What an import costs is mostly the number of modules: one that is loaded takes 0.3 ms or more. So modules are counted
here, which no other program of the machine changes. `make bench ARGS="--workloads 11"` measures the time, beside
`import asyncio`, which every user of entrepot imports sooner or later.
"""

import subprocess
import sys
from importlib import import_module

import pytest

IMPORT = "from entrepot import Error, Lister, Operator, Reader, Writer"
OPERATOR = "from entrepot import Operator; from entrepot.services import Fs; Operator(Fs('.'))"
HEAVY = ("aiohttp", "anyio", "asyncio", "ssl", "botocore", "yarl", "dataclasses", "inspect", "email.utils", "pathlib")


@pytest.mark.parametrize(
    ("code", "ours", "others"), [(IMPORT, 76, 38), (OPERATOR, 128, 44)], ids=["import", "fs operator"]
)
def test_few_modules_are_loaded(code: str, ours: int, others: int) -> None:
    count = "len([n for n in loaded if n.startswith('entrepot')]), len(loaded)"
    report = f"import sys; before = set(sys.modules); {code}; loaded = set(sys.modules) - before; print({count})"
    own, every = map(int, _output(report).split())
    assert 0 < own <= ours
    assert 0 < every - own <= others


def test_importing_the_package_imports_none_of_its_modules() -> None:
    report = "import sys, entrepot; print(*(name for name in sys.modules if name.startswith('entrepot.')))"
    assert _output(report).split() == ["entrepot._lazy"]


@pytest.mark.parametrize("room", ["", ".layers", ".raw.oio", ".services", ".signing", ".testing", ".types"])
def test_every_public_name_is_offered_and_found(room: str) -> None:
    missing = f"import entrepot{room} as room; print(*{{*room.__all__}} - {{*dir(room)}})"
    assert _output(missing) == ""
    package = import_module(f"entrepot{room}")
    assert all(getattr(package, name) is not None for name in package.__all__)


@pytest.mark.parametrize("code", [IMPORT, OPERATOR], ids=["import", "fs operator"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    """Neither an event loop nor an HTTP client, nor what a first read can do without of the standard library."""
    assert _output(f"import sys; {code}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))") == ""


def _output(code: str) -> str:
    """What a program prints in a new interpreter, without the modules that coverage or a site may load there."""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
