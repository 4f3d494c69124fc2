"""Nobody pays at import for what is not used.

The cost is the processor time of a child process, the least of several runs, with its own cache of byte code: what an
installed package costs on a machine that does other things besides.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = "import entrepot"
OPERATOR = "from entrepot import Operator; from entrepot.services import Fs; Operator(Fs('.'))"
HEAVY = ("aiohttp", "anyio", "asyncio", "ssl", "botocore", "yarl")
FEWEST_ROUNDS = 8
ROUNDS = 60


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


def _least_cost_above(base: str, code: str, environment: dict[str, str], enough: float) -> float:
    """The difference of the cheapest runs, which are looked for until it is small enough or patience ends."""
    bases, costs = [math.inf], [math.inf]
    for _ in range(ROUNDS):
        bases.append(_milliseconds(base, environment))
        costs.append(_milliseconds(code, environment))
        if len(costs) > FEWEST_ROUNDS and min(costs) - min(bases) < enough:
            break
    return min(costs) - min(bases)


def test_importing_entrepot_costs_under_40_ms(environment: dict[str, str]) -> None:
    cost = _least_cost_above("pass", IMPORT, environment, 40)
    assert cost < 40, f"`import entrepot` takes {cost:.1f} ms above a bare interpreter"


def test_building_an_fs_operator_adds_under_15_ms(environment: dict[str, str]) -> None:
    cost = _least_cost_above(f"{IMPORT}; from entrepot import Operator", OPERATOR, environment, 15)
    assert cost < 15, f"building an fs Operator takes {cost:.1f} ms above importing it"


@pytest.mark.parametrize("code", [IMPORT, OPERATOR], ids=["import", "fs operator"])
def test_no_event_loop_and_no_http_client_is_loaded(code: str, environment: dict[str, str]) -> None:
    report = f"import sys; {code}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
