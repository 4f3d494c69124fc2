"""The layers that the documentation gives to be taken are short."""

import ast

import pytest

from tests.docs.markdown import PROJECT, blocks


def layers():
    """The code of each block that defines a layer."""
    for block in blocks(PROJECT / "docs" / "user-layers.md"):
        if "\nawait " in block.text or block.text.startswith("await "):
            continue
        names = [one.name for one in ast.parse(block.text).body if isinstance(one, ast.ClassDef)]
        if names:
            yield pytest.param(block.text, id=names[0])


SHOWN = list(layers())


def test_there_is_one_for_tenants_an_audit_log_and_a_circuit_breaker():
    assert [param.id for param in SHOWN] == ["TenantLayer", "AuditLayer", "BreakerLayer"]


@pytest.mark.parametrize("code", SHOWN)
def test_it_has_fewer_than_thirty_lines(code):
    assert len([line for line in code.splitlines() if line.strip()]) < 30
