"""What follows from the declarations of the services is up to date, and the declarations are true."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from entrepot import Capability, Operator
from entrepot.raw import OPERATIONS, ServiceConfig
from entrepot.raw.config import parse_uri
from entrepot.services.registry import SCHEMES, service_class
from tests.behavior.targets import DECLARED
from tests.docs.markdown import PROJECT, SOURCES, table
from tools.generate_services import cannot, generated, services

README = (PROJECT / "README.md").read_text()
ROWS = {
    re.sub(r"\[(\w+)\].*", r"\1", service): left_out
    for service, *_, left_out in table(README, "Service", "Made by", "URI", "Holds", "Cannot")
}
FLAGS = {flag.name for flag in fields(Capability) if flag.type == "bool"}
CONFIGS = list(dict.fromkeys(map(service_class, SCHEMES)))

every_service = pytest.mark.parametrize("scheme", ROWS)
every_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)


@pytest.mark.parametrize("file", generated(), ids=lambda file: str(file.relative_to(PROJECT)))
def test_the_generated_files_are_up_to_date(file: Path) -> None:
    assert file.read_text() == generated()[file], "run `python tools/generate_services.py`"


def test_every_service_has_a_row() -> None:
    assert set(ROWS) == {service.config.SCHEME for service in services()} == set(DECLARED)


def test_the_tool_names_what_is_missing() -> None:
    [memory] = [service for service in services() if service.config.SCHEME == "memory"]
    assert cannot(memory) == (
        "`list_uploads`, `abort_upload`, `shared_upload`, `presign`; "
        "`override_*`, `storage_class`, `acl`, `retain_until`, `legal_hold`"
    )


def _missing(scheme: str) -> set[str]:
    capabilities = [Operator(target.sample).info.capability for target in DECLARED[scheme]]
    return {flag for flag in FLAGS if not any(getattr(capability, flag) for capability in capabilities)}


def _named(scheme: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", ROWS[scheme]))


@every_service
def test_every_operation_that_is_missing_is_named(scheme: str) -> None:
    assert _missing(scheme) & set(OPERATIONS) == _named(scheme) & set(OPERATIONS)


@every_service
def test_every_option_that_is_missing_of_an_operation_that_is_there_is_named(scheme: str) -> None:
    missing = _missing(scheme)
    options = {flag.partition("_with_") for flag in missing if "_with_" in flag}
    unnamed = {
        option
        for operation, _, option in options
        if operation not in missing
        and not any(re.fullmatch(name.replace("*", ".*"), option) for name in _named(scheme))
    }
    assert unnamed == set()


@every_service
def test_every_option_that_is_named_is_missing(scheme: str) -> None:
    missing = _missing(scheme)
    for name in _named(scheme) - set(OPERATIONS):
        flags = [flag for flag in FLAGS if re.fullmatch(f"\\w+_with_{name.replace('*', '.*')}", flag)]
        assert missing & set(flags), f"{scheme} can do {name}"


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
