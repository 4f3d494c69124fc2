"""The private names of aiohttp in use are listed, exist, and one that is missing is refused when a service is built."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import aiohttp
import pytest

from entrepot.raw.http.aiohttp import private_names
from entrepot.raw.http.aiohttp.private_names import PRIVATE_NAMES, check_private_names

ROOM = Path(private_names.__file__).parent
PUBLIC_MODULES = ("aiohttp",)
OWN_BASES = {"aiohttp.TCPConnector": "TCPConnector", "ResponseHandler": "ResponseHandler"}


def _modules() -> Iterator[ast.Module]:
    for file in ROOM.glob("*.py"):
        yield ast.parse(file.read_text())


def _imported_internals() -> set[str]:
    """What is imported from modules that aiohttp does not document."""
    return {
        f"{node.module}.{alias.name}"
        for tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("aiohttp.")
        for alias in node.names
    }


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _inherited_private(cls: ast.ClassDef, base: type) -> set[str]:
    """The private names of a base that a class of ours overrides or reaches through `self` or `super()`."""
    own_init = {
        node.attr
        for node in ast.walk(cls)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and not _exists_in(base, node.attr)
    }
    named = {node.attr for node in ast.walk(cls) if isinstance(node, ast.Attribute)}
    defined = {node.name for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in (named | defined) - own_init if _is_private(name) and _exists_in(base, name)}


def _exists_in(base: type, name: str) -> bool:
    return hasattr(base, name) or name in set(private_names._set_by_init(base))


def _listed(owner: str) -> set[str]:
    return {name.attribute for name in PRIVATE_NAMES if name.owner == owner and name.attribute}


def test_every_name_of_an_undocumented_module_is_listed() -> None:
    assert _imported_internals() <= {f"{name.module}.{name.owner}" for name in PRIVATE_NAMES}


@pytest.mark.parametrize("base", OWN_BASES)
def test_every_private_name_of_a_base_class_is_listed(base: str) -> None:
    classes = [
        node
        for tree in _modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and base in map(ast.unparse, node.bases)
    ]
    assert classes
    owner = OWN_BASES[base]
    module = next(name.module for name in PRIVATE_NAMES if name.owner == owner)
    used = set().union(*(_inherited_private(cls, getattr(import_module(module), owner)) for cls in classes))
    assert used == _listed(owner)


@pytest.mark.parametrize("name", PRIVATE_NAMES, ids=str)
def test_each_exists_and_says_what_it_is_for(name: private_names.PrivateName) -> None:
    assert private_names._exists(name)
    assert name.purpose
    assert not private_names._exists(name._replace(attribute="_not_there"))


def test_an_aiohttp_that_lacks_one_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr("aiohttp.client_proto.ResponseHandler")
        patch.delattr("aiohttp.connector.TCPConnector._start_tls_connection")
        with pytest.raises(private_names.Unsupported) as caught:
            check_private_names()
    message = caught.value.message
    assert aiohttp.__version__ in message
    assert "aiohttp.client_proto.ResponseHandler" in message
    assert "aiohttp.connector.TCPConnector._start_tls_connection" in message
    check_private_names()


def test_the_error_arises_when_a_network_service_is_built() -> None:
    script = """
import aiohttp.connector
del aiohttp.connector.TCPConnector._start_tls_connection
from entrepot import Operator, Unsupported
from entrepot.services import Http, Memory
Operator(Memory())
try:
    Operator(Http("http://127.0.0.1:1", http="aiohttp"))
except Unsupported as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "_start_tls_connection" in done.stdout, done.stderr
    assert "pip install" in done.stdout
