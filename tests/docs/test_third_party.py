"""A package that somebody else wrote and pip installed: its scheme works like a built-in one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import PROJECT
from tests.docs.test_blocks import warnings_of

USE = """
import asyncio
from entrepot import ConfigInvalid, Operator
from entrepot.registry import schemes

op = Operator.from_uri("duck:///donald?sound=honk")
assert asyncio.run(op.read("3")) == b"honk" * 3
assert asyncio.run(op.read("3", range=(4, 8))) == b"honk"
assert repr(op) == "Operator(Duck(root='/donald', sound='honk'))"
assert "duck" in schemes()
assert asyncio.run(Operator.from_config("DUCK", sound="meep").read("daisy/2")) == b"meep" * 2

try:
    Operator.from_uri("goose://pond")
except ConfigInvalid as error:
    assert "duck, file, fs, http, https, memory, s3" in str(error), error
else:
    raise AssertionError("goose is not installed")

try:
    asyncio.run(op.read("nobody"))
except FileNotFoundError as error:
    print(error.kind, error.scheme, error.operation, error.path)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip installed the toy package into, without asking any network."""
    folder = tmp_path_factory.mktemp("third-party")
    shutil.copytree(PROJECT / "tests" / "packages" / "entrepot-duck", folder / "source")
    options = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--no-input",
        "--disable-pip-version-check",
    ]
    target = folder / "installed"
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(folder / "source")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55)
    assert done.returncode == 0, done.stderr
    return target


def test_its_scheme_works_by_uri_and_by_config(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", USE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert (done.returncode, warnings_of(done.stderr)) == (0, [])
    assert done.stdout == "NotFound duck read nobody\n"
