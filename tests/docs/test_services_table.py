"""What follows from the declarations of the services is up to date, and the declarations are true."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.raw import ServiceConfig
from entrepot.raw.config import parse_uri
from entrepot.services.registry import SCHEMES, service_class
from tests.behavior.targets import DECLARED
from tests.docs.markdown import PROJECT, SOURCES, table
from tools.generate_services import ABILITIES, generated, services

README = (PROJECT / "README.md").read_text()
ROWS = {
    re.sub(r"\[(\w+)\].*", r"\1", service): dict(zip(ABILITIES.values(), marks, strict=True))
    for service, _, _, *marks in table(README, "Service", "Made by", "Holds", *ABILITIES)
}
CONFIGS = list(dict.fromkeys(map(service_class, SCHEMES)))

every_service = pytest.mark.parametrize("scheme", ROWS)
every_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)


@pytest.mark.parametrize("file", generated(), ids=lambda file: str(file.relative_to(PROJECT)))
def test_the_generated_files_are_up_to_date(file: Path) -> None:
    assert file.read_text() == generated()[file], "run `python tools/generate_services.py`"


def test_every_service_has_a_row() -> None:
    assert set(ROWS) == {service.config.SCHEME for service in services()} == set(DECLARED)


@every_service
def test_a_row_says_what_the_service_can(scheme: str) -> None:
    capabilities = [Operator(target.sample).info.capability for target in DECLARED[scheme]]
    can = {flag: any(getattr(capability, flag) for capability in capabilities) for flag in ABILITIES.values()}
    assert ROWS[scheme] == {flag: "yes" if is_true else "" for flag, is_true in can.items()}


def test_every_service_can_read() -> None:
    """Which the table therefore does not say."""
    assert all(Operator(targets[0].sample).info.capability.read for targets in DECLARED.values())


@every_config
def test_the_form_of_its_uris_is_one_of_its_own(config: type[ServiceConfig]) -> None:
    uri = parse_uri(config.URI.partition("::")[0])  # the rest of a chain is the URI of another service
    assert uri.scheme in {config.SCHEME, *config.ALIASES}
    options = {**config.uri_options(uri), **uri.options}
    assert set(options) <= {field.name for field in fields(config)}  # type: ignore[arg-type]
    assert options["root"] == "/some/root"


@every_config
def test_its_accessor_has_the_scheme_that_it_declares(config: type[ServiceConfig]) -> None:
    assert {Operator(target.sample).info.scheme for target in DECLARED[config.SCHEME]} == {config.SCHEME}


def test_no_layer_names_a_service() -> None:
    """What a layer must know of a service, the service declares (`ServiceConfig.TELEMETRY`)."""
    names = {*SCHEMES, *(config.__name__ for config in CONFIGS)} | {"Scheme"}
    named = [
        f"{file.relative_to(SOURCES)}:{node.lineno} {text!r}"
        for file in sorted((SOURCES / "layers").rglob("*.py"))
        for node, text in _words(ast.parse(file.read_text()))
        if text in names or text.lower().startswith("x-amz-")
    ]
    assert not named


def _words(tree: ast.AST) -> list[tuple[ast.expr, str]]:
    """The strings and names in the code of a module; the sentences of docstrings are no names."""
    constants = [(node, node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    names = [(node, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [(node, text) for node, text in [*constants, *names] if isinstance(text, str)]
