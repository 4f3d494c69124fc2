"""What the command imports before it does anything: how fast it starts, without a clock."""

import json
import subprocess
import sys

import pytest

from .running import environment

PROGRAM = """
import json, sys
from entrepot.cli import main
try:
    main()
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], env=environment(), capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_import_neither_the_library_nor_a_verb(word: str) -> None:
    modules = imported(word)
    assert {name for name in modules if name.startswith("entrepot.")} == {
        "entrepot._lazy", "entrepot.cli", "entrepot.cli.program"
    }  # fmt: skip
    assert modules.isdisjoint({"asyncio", "rich", "ssl", "aiohttp"})


def test_a_verb_imports_neither_a_client_of_http_nor_the_display_before_it_needs_them() -> None:
    assert imported("ls", "/var/empty/..").isdisjoint({"rich", "aiohttp", "yarl"})
