"""Every dependency has a line that says what it is for, and no upper bound but one that is explained."""

import re
import tomllib

from tests.docs.markdown import PROJECT, table

PROJECT_FILE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT_FILE["optional-dependencies"]
PAGE = (PROJECT / "docs" / "dependencies.md").read_text()


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", one)[0] for one in requirements} - {"entrepot"}


def test_each_runtime_dependency_has_a_line_with_its_reason() -> None:
    rows = table(PAGE, "Package", "Purpose", "Alternatives considered")
    assert {row[0] for row in rows} == _names(PROJECT_FILE["dependencies"])
    assert all(all(row) for row in rows)


def test_each_dependency_of_an_extra_has_a_line_with_its_reason() -> None:
    rows = table(PAGE, "Package", "Extra", "Purpose", "Alternatives considered")
    described = {name.strip() for row in rows for name in row[0].split(",")}
    assert described == set().union(*map(_names, EXTRAS.values()))
    assert all(all(row) for row in rows)


def test_nothing_but_aiohttp_has_an_upper_bound() -> None:
    requirements = [*PROJECT_FILE["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    bounded = [one for one in requirements if re.search(r"<|~=|===?", one.partition(";")[0])]
    assert bounded == ["aiohttp>=3.14,<4"]
    assert "capped below 4" in PAGE


def test_the_extras_are_those_that_were_promised() -> None:
    integrations = {"dask", "fsspec", "obspec", "pyarrow", "starlette", "upath", "zarr"}
    services = {"ftp", "gcs", "postgresql", "redis", "sftp"}
    others = {
        "all",
        "bench",
        "checksums",
        "cli",
        "consumers",
        "demo",
        "dev",
        "docs",
        "metrics",
        "migrate",
        "peers",
        "release",
        "servers",
        "test",
        "tracing",
        "zstd",
    }
    assert set(EXTRAS) == integrations | services | others
