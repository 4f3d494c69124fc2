"""The tables of arguments on the page of layers say what the layers take, by which names and with which defaults."""

import inspect
import logging
import re
from collections.abc import Iterator
from inspect import Parameter
from typing import Any

import pytest

from entrepot import layers
from tests.docs.markdown import PROJECT

PAGE = (PROJECT / "docs" / "shipped-layers.md").read_text()
KEYWORDS = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


def _sections() -> Iterator[tuple[str, str]]:
    """The name of each layer with a section of its own, and the section."""
    for section in PAGE.split("\n## ")[1:]:
        name, _, text = section.partition("\n")
        if name in layers.__all__:
            yield name, text


SECTIONS = dict(_sections())


def _stated(name: str) -> dict[str, str]:
    lines = SECTIONS[name].partition("\n| Argument | Default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w*]+)` \|([^|]*)\|", lines, re.MULTILINE)
    return {argument: default.strip().strip("`") for argument, default in rows}


def _taken(name: str) -> dict[str, Parameter]:
    parameters = inspect.signature(getattr(layers, name)).parameters.values()
    return {("**" if one.kind is Parameter.VAR_KEYWORD else "") + one.name: one for one in parameters}


with_arguments = pytest.mark.parametrize("name", [name for name in SECTIONS if _taken(name)])


def test_every_layer_for_users_has_a_section() -> None:
    automatic = {"CompleteLayer", "CorrectnessCheckLayer", "ErrorContextLayer", "TypeEraseLayer"}
    assert {name for name in layers.__all__ if name.endswith("Layer")} - automatic == set(SECTIONS)


@with_arguments
def test_the_arguments_are_those_of_the_table(name: str) -> None:
    assert list(_stated(name)) == list(_taken(name))


@with_arguments
def test_each_argument_can_be_named(name: str) -> None:
    by_name = [one for argument, one in _taken(name).items() if not argument.startswith("**")]
    assert [one.name for one in by_name if one.kind not in KEYWORDS] == []


@with_arguments
def test_the_defaults_are_those_of_the_table(name: str) -> None:
    for argument, stated in _stated(name).items():
        default = _taken(name)[argument].default
        if default is not Parameter.empty and re.fullmatch(r"[\w.\"]+", stated):
            assert default == _value(stated), f"{argument} of {name}"


def _value(text: str) -> Any:
    return eval(text, {"logging": logging})
