"""The import of the operator loads only what every user needs, and `import entrepot` nothing.

The cost is the processor time of a child process, the least of 15 runs, with a cache of byte code: the cost of an
installed package. It is compared with `import asyncio` in the same run, so that a loaded machine slows both. asyncio is
the peer because every interpreter has it and every user of entrepot imports it sooner or later. On the machine where
the bounds were set, asyncio took 42 ms, the import of the operator 25 ms, and with an `Fs` operator 47 ms.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = "from entrepot import Error, Lister, Operator, Reader, Writer"
OPERATOR = "from entrepot import Operator; from entrepot.services import Fs; Operator(Fs('.'))"
HEAVY = ("aiohttp", "anyio", "asyncio", "ssl", "botocore", "yarl")
PEER = "import asyncio"
ROUNDS = 15


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONDEVMODE", "PYTHONPROFILEIMPORTTIME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out and not name.startswith("COV")}
    return {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path)}


def _milliseconds(code: str, environment: dict[str, str]) -> float:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, code
    return (usage.ru_utime + usage.ru_stime) * 1000


def _cost_beside_the_peer(code: str, environment: dict[str, str]) -> float:
    """The cost of the code as a part of the peer's, both above a bare interpreter."""
    least = dict.fromkeys(("pass", PEER, code), math.inf)
    for _ in range(ROUNDS):
        least = {program: min(cost, _milliseconds(program, environment)) for program, cost in least.items()}
    return (least[code] - least["pass"]) / (least[PEER] - least["pass"])


def test_importing_the_operator_costs_less_than_four_fifths_of_importing_asyncio(environment: dict[str, str]) -> None:
    assert _cost_beside_the_peer(IMPORT, environment) < 0.8


def test_importing_it_and_building_an_fs_operator_costs_little_more_than_importing_asyncio(
    environment: dict[str, str],
) -> None:
    assert _cost_beside_the_peer(OPERATOR, environment) < 1.35


def test_importing_the_package_imports_none_of_its_modules(environment: dict[str, str]) -> None:
    report = "import sys, entrepot; print(*(name for name in sys.modules if name.startswith('entrepot.')))"
    done = subprocess.run([sys.executable, "-c", report], env=environment, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["entrepot._lazy"], done.stderr


def test_every_public_name_is_offered_and_found() -> None:
    import entrepot

    assert set(entrepot.__all__) <= set(dir(entrepot))
    assert all(getattr(entrepot, name) is not None for name in entrepot.__all__)


@pytest.mark.parametrize("code", [IMPORT, OPERATOR], ids=["import", "fs operator"])
def test_no_event_loop_and_no_http_client_is_loaded(code: str, environment: dict[str, str]) -> None:
    report = f"import sys; {code}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
