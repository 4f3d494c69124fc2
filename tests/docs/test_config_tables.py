"""The page of a service describes exactly the keys that its configuration has, and one page those of connections."""

import ast
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from entrepot import services
from entrepot.raw import ServiceConfig
from entrepot.raw.http.settings import HttpServiceConfig
from tests.docs.markdown import PROJECT, SOURCES, table

CONFIGS: list[type[ServiceConfig]] = [getattr(services, name) for name in services.__all__]


def test_every_service_has_a_room_and_a_public_class() -> None:
    rooms = {path.name for path in (SOURCES / "services").iterdir() if (path / "config.py").exists()}
    assert {config.SCHEME for config in CONFIGS} == rooms, "services.__all__ and the folders of services differ"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_its_page_has_a_configuration_table_equal_to_its_class(config: type[ServiceConfig]) -> None:
    page = SOURCES / "services" / config.SCHEME / "docs.md"
    assert page.exists(), f"{config.__name__} has no page: write {page.relative_to(SOURCES)}"
    inherited = {one.name for one in fields(HttpServiceConfig)} if issubclass(config, HttpServiceConfig) else set()
    _check(page, config, [one for one in fields(config) if one.init and one.name not in inherited])
    if inherited:
        assert "docs/connections.md" in page.read_text(), (
            f"{page.relative_to(SOURCES)} leaves out the options it inherits"
        )


def test_the_options_of_connections_have_a_page_of_their_own() -> None:
    _check(PROJECT / "docs" / "connections.md", HttpServiceConfig, list(fields(HttpServiceConfig)))


def _check(page: Path, config: type[ServiceConfig], described: "list[Field[Any]]") -> None:
    rows = table(page.read_text(), "Key", "Type", "Default", "Meaning")
    assert rows, f"{page.name} has no table with the columns Key | Type | Default | Meaning"
    documented = [(key.strip("`"), type_.strip("`"), _value(default)) for key, type_, default, _ in rows]
    hints = get_type_hints(config)
    keys = [(one.name, _type_name(hints[one.name]), _default(one)) for one in described]
    assert documented == keys, f"{page.name} differs from the fields of {config.__name__}"
    assert all(meaning for *_, meaning in rows), f"{page.name} has a key without a meaning"


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _default(one: "Field[Any]") -> object:
    return "required" if one.default is MISSING else (one.default,)


def _value(default: str) -> object:
    """The default that a cell names; a cell that is no Python value equals none."""
    text = default.strip("`")
    try:
        return text if text == "required" else (ast.literal_eval(text),)
    except (SyntaxError, ValueError):
        return text
