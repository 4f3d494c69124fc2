"""Comparing a committed module with the text that a generator writes."""

import ast
from typing import Any


def imports_and_the_rest(text: str) -> tuple[set[tuple[Any, ...]], list[str]]:
    """A module without its format, which `ruff format` sees to: the imported names, and the statements."""
    tree = ast.parse(text)
    checked = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    top = [*tree.body, *(inner for block in checked for inner in block.body)]
    imports = [node for node in top if isinstance(node, ast.ImportFrom)]
    names = {(node.module, node.level, alias.name) for node in imports for alias in node.names}
    return names, [ast.dump(node) for node in tree.body if node not in (*imports, *checked)]
