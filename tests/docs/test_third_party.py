"""A package that somebody else wrote and pip installed: its scheme works like a built-in one."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.markdown import PROJECT
from tests.strict import STRICT, warnings_of

USE = """
import asyncio
from entrepot import ConfigInvalid, NotFound, Operator, Scheme, StorageFull, Unsupported
from entrepot.services.registry import schemes

async def use():
    op = Operator.from_uri("pond://park/mallards?capacity=20")
    assert repr(op) == "Operator(Pond(name='park', root='/mallards', capacity=20))"
    assert "pond" in schemes()
    assert op.info.scheme == Scheme("pond") == Scheme("POND")
    assert isinstance(Scheme("pond"), Scheme)
    assert (await op.write("donald", b"quack quack ")).content_length == 12
    assert await op.read("donald") == b"quack quack "
    assert await op.read("donald", range=(6, 11)) == b"quack"
    same = Operator.from_config("POND", name="park")
    assert await same.read("mallards/donald") == b"quack quack "

    await op.create_dir("ducklings/")
    names = [f"ducklings/{number:02}" for number in range(18)]
    for name in names:
        await op.write(name, iter([b"pi", b"ep"]))
    listed = await op.list("ducklings/", limit=4)
    assert [entry.path for entry in listed] == ["ducklings/", *names]
    assert {entry.metadata.content_length for entry in listed[1:]} == {4}
    assert [entry.path for entry in await op.list("/")] == ["/", "donald", "ducklings/"]
    assert (await op.stat("ducklings/")).is_dir

    try:
        await op.write("one too many", b"")
    except StorageFull as error:
        print(error.kind, error.scheme, error.operation, error.path)
    await op.delete_many(names)
    assert await op.list("ducklings/") == listed[:1]
    await op.delete("ducklings/", recursive=True)
    assert [entry.path for entry in await op.list("/")] == ["/", "donald"]

    for operation, call in {"copy": op.copy("donald", "daisy"), "write": op.write("daisy", b"", append=True)}.items():
        try:
            await call
        except Unsupported as error:
            print(error.kind, error.scheme, error.operation, error.path)
    try:
        await op.read("nobody")
    except FileNotFoundError as error:
        print(error.kind, error.scheme, error.operation, error.path)

asyncio.run(use())
try:
    Operator.from_uri("goose://lake")
except ConfigInvalid as error:
    assert {"file", "fs", "http", "https", "memory", "pond", "s3"} <= set(schemes())
    assert ", ".join(schemes()) in str(error), error
else:
    raise AssertionError("goose is not installed")
"""

SUITE = """
import asyncio
from entrepot import Operator
from entrepot.testing.behavior import cases_for, run_case

async def check(op):
    for case in cases_for(op.info):
        await run_case(case, op)
        print(case.name)

asyncio.run(check(Operator.from_uri("pond://suite/some/root")))
"""

ERRORS = """StorageFull pond write one too many
Unsupported pond copy donald
Unsupported pond write daisy
NotFound pond read nobody
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip installed the toy package into, without asking any network."""
    folder = tmp_path_factory.mktemp("third-party")
    shutil.copytree(PROJECT / "tests" / "packages" / "entrepot-pond", folder / "source")
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
    assert printed_by(USE, installed) == ERRORS


def test_it_does_what_every_service_does(installed: Path) -> None:
    rooms = Counter(name.partition(".")[0] for name in printed_by(SUITE, installed).split())
    assert rooms.total() > 150
    assert {"read", "write", "delete", "list", "create_dir", "refusals"} <= rooms.keys()


def printed_by(script: str, installed: Path) -> str:
    """What a script prints in an interpreter that has the package. A warning is a failure."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([*STRICT, "-c", script], env=environment, capture_output=True, text=True, timeout=50)
    assert (done.returncode, warnings_of(done.stderr)) == (0, "")
    return done.stdout
