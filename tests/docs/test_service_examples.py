"""The first example of a service's page, which names a host that does not exist, on a server of this machine."""

import ast
from pathlib import Path
from typing import Any

import pytest

import entrepot
from entrepot import Operator
from entrepot.services.registry import service_class
from tests.behavior.targets import DECLARED, opened
from tests.docs.markdown import SOURCES, blocks

FIRST = {page.parent.name: blocks(page)[0] for page in sorted(SOURCES.glob("services/*/docs.md"))}
COMPILED = {scheme: block.text for scheme, block in FIRST.items() if "compile-only" in block.words}

ARCHIVES = {"tar", "zip"}
"""Their examples open an object of another service. The page's next block reads such an archive, and runs."""

READ = ("reports/2024.csv", "a/b.bin", "README.md")
"""The objects that examples read and do not write."""


def code_of(scheme: str) -> Any:
    # The key that the pages of Azure leave out is base64.
    text = COMPILED[scheme].replace('account_key="..."', 'account_key="c2VjcmV0"')
    return compile(text, f"first example of {scheme}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@pytest.mark.parametrize("scheme", sorted(COMPILED.keys() - ARCHIVES))
async def test_the_first_example_runs(
    scheme: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(DECLARED[scheme][0], request)
    for path in READ:
        store.put(path, bytes(2048))
    schemes = []

    def operator(config: Any) -> Operator:
        """An operator on our server, whatever the example names."""
        schemes.append(config.SCHEME)
        return Operator(store.config)

    operator.from_uri = lambda uri: operator(service_class(Operator.from_uri(uri).info.scheme))  # type: ignore[attr-defined]
    monkeypatch.setattr(entrepot, "Operator", operator)
    monkeypatch.chdir(tmp_path)
    Path("may.parquet").write_bytes(b"PAR1")
    await eval(code_of(scheme), {"content": b"PAR1"})
    assert set(schemes) == {scheme}
