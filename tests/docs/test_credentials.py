"""The page of credentials names each service, each of its secrets, and only variables that the code knows."""

import re
from dataclasses import fields

import pytest

from tests.docs.markdown import PROJECT, SOURCES, table
from tools.generate_services import Service, services

PAGE = (PROJECT / "docs" / "credentials.md").read_text()
ROWS = table(PAGE, "Service", "In the configuration", "Otherwise, in this order", "Renewed")
OTHERS = {"client_key", "client_key_password", "proxy", "headers", "connection_string"}
"""Secrets of connections, which another page has, and one that not each service needs."""
OF_CONTENT = re.compile(r"encryption|table")
OF_OTHER_LIBRARIES = {"PGUSER", "PGPASSWORD"}


def _row(service: Service) -> list[str] | None:
    return next((row for row in ROWS if f"[{service.folder}](" in row[0]), None)


def _secrets(service: Service) -> set[str]:
    hidden = {one.name for one in fields(service.config) if not one.repr}
    return {name for name in hidden - OTHERS if not OF_CONTENT.search(name)}


@pytest.mark.parametrize("service", services(), ids=lambda service: service.folder)
def test_the_secrets_of_a_service_are_named(service: Service) -> None:
    row = _row(service)
    if row is None:
        assert _secrets(service) == set()
        assert re.search(rf"^(?=fs, .* have none).*\b{service.folder}\b", PAGE, re.MULTILINE)
        return
    named = set(re.findall(r"`([a-z_]+)`", row[1]))
    known = {one.name for one in fields(service.config)}
    assert _secrets(service) - named == set()
    assert named - known - {"role_arn"} == set()


def test_variables_are_those_that_the_code_reads() -> None:
    code = "\n".join(file.read_text() for file in SOURCES.rglob("*.py"))
    named = set(re.findall(r"`([A-Z]{2,}_[A-Z_]+|PG[A-Z]+)`", PAGE))
    assert len(named) > 20
    assert {name for name in named - OF_OTHER_LIBRARIES if name not in code} == set()
