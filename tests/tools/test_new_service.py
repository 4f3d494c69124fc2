"""`make new-service` in a copy of the tree: the new service passes all checks, once the home page names it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.markdown import PROJECT
from tools.new_service import NameRefused, check_name

CHECKS = [
    "tests/behavior/test_suite.py",
    "tests/services/duck",
    "tests/services/test_registry.py",
    "tests/types/test_scheme.py",
    "tests/docs/test_services_table.py",
    "tests/docs/test_config_tables.py",
    "tests/docs/test_secrets.py",
]


def run(checkout: Path, *command: str) -> str:
    """The output of a Python program that sees the sources of the copy."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = (sys.executable, *command)
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, as it is now, with a new service, and what is left to do by hand for its pages."""
    copy = tmp_path_factory.mktemp("checkout")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    named = subprocess.run(listing, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, named.split("\0")):
        if (PROJECT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((PROJECT / name).read_bytes())
    printed = run(copy, "tools/new_service.py", "duck")
    home = copy / "docs" / "README.md"
    assert "docs/README.md: its name" in printed
    row = "| This machine | "
    home.write_text(home.read_text().replace(row, f"{row}[duck](../src/entrepot/services/duck/docs.md), "))
    return copy


def made_files(checkout: Path) -> list[Path]:
    return [*checkout.glob("src/entrepot/services/duck/*.*"), *checkout.glob("tests/services/duck/*.py")]


def test_the_files_are_few_and_short(checkout: Path) -> None:
    names = {file.name for file in made_files(checkout)}
    assert names == {*("__init__.py", "accessor.py", "behavior.py", "config.py", "core.py", "docs.md"), "test_duck.py"}
    assert sum(len(file.read_text().splitlines()) for file in made_files(checkout)) < 200


@pytest.mark.timeout(240)
def test_the_service_passes_the_behavior_suite_and_the_tests_of_the_tables(checkout: Path) -> None:
    own_folder = f"--basetemp={checkout / 'tmp'}"
    options = ["--no-cov", "-q", "-p", "no:cacheprovider", own_folder, "-k", "duck or not test_case"]
    printed = run(checkout, "-m", "pytest", *options, *CHECKS)
    passed = int(printed.rpartition(" passed")[0].split()[-1])
    assert passed > 250


@pytest.mark.timeout(240)
def test_the_pages_of_the_site_name_it(checkout: Path) -> None:
    run(checkout, "-m", "pytest", "--no-cov", "-q", "-p", "no:cacheprovider", "tests/docs/test_site.py")


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff comes with the extra `dev`")
def test_the_files_pass_the_linter_and_the_formatter(checkout: Path) -> None:
    changed = [*made_files(checkout), *(checkout / "src/entrepot/services").glob("*.py")]
    run(checkout, "-m", "ruff", "check", "--no-cache", *(str(file) for file in changed if file.suffix == ".py"))
    run(checkout, "-m", "ruff", "format", "--no-cache", "--check", *(str(file) for file in changed))


def test_its_scheme_is_a_built_in_one(checkout: Path) -> None:
    use = """
from entrepot import Operator, Scheme
from entrepot.services import Duck
assert Scheme.DUCK == Duck.SCHEME
op = Operator.from_uri("duck://pond/deep").blocking()
op.write("a", b"quack")
print(repr(op.info.scheme), op.info.name, op.info.root, op.read("a"))
"""
    assert run(checkout, "-c", use) == "'duck' pond /deep/ b'quack'\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be a scheme"),
        ("Duck", "cannot be a scheme"),
        ("my_store", "cannot be a scheme"),
        ("3fs", "cannot be a scheme"),
        ("../duck", "cannot be a scheme"),
        ("class", "keyword"),
        ("none", "keyword"),
        ("memory", "src/entrepot/services/memory exists"),
        ("registry", "exists"),
        ("https", "alias"),
        ("moto", "target"),
        ("entry", "reserved"),
    ],
)
def test_a_name_that_cannot_work_is_refused(name: str, reason: str) -> None:
    with pytest.raises(NameRefused, match=reason):
        check_name(name)


def test_a_refusal_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT / "tools" / "new_service.py"), "memory"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "'memory' is taken: src/entrepot/services/memory exists\n"
