"""Two blocks that do the same work, one in another library and one in entrepot.

Each runs in a folder of its own with a file `local.csv`, over a bucket `reports` with one object, `2026/may.csv`. Then
the names that both set must have equal values, and the folders and the bucket equal contents.
"""

import ast
import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.docs.markdown import Block
from tests.docs.page_bucket import contents, fill

BUCKET = "reports"
OBJECTS = {"2026/may.csv": b"duck,3\n"}
LOCAL = {"local.csv": b"goose,5\n"}

PLAIN = (bytes, str, int, list, tuple, dict, set)


@dataclass(frozen=True)
class Pair:
    """A block of another library, or None where that is not installed, and the block of ours."""

    theirs: Block | None
    ours: Block

    def run(self, execute: Callable[[Block, dict[str, object]], None], page: dict[str, object]) -> None:
        """Runs both. The block of ours sees the names of the page; the other sees nothing.

        Raises:
            AssertionError: they did not do the same.
        """
        ours = outcome(self.ours, execute, page)
        if self.theirs is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is not ours to mend
            theirs = outcome(self.theirs, execute, {})
        names = theirs["values"].keys() & ours["values"].keys()
        assert names, f"{self.theirs} and {self.ours} set no name in common"
        for result in (theirs, ours):
            result["values"] = {name: result["values"][name] for name in names}
        assert theirs == ours, f"{self.theirs} and {self.ours} differ"
        print(f"{self.theirs} and {self.ours}: the same {', '.join(sorted(names))}")


def outcome(
    block: Block, execute: Callable[[Block, dict[str, object]], None], namespace: dict[str, object]
) -> dict[str, dict[str, object]]:
    """What a block leaves behind: its values, its files, its objects."""
    fill(BUCKET, OBJECTS)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in LOCAL.items():
            Path(folder, name).write_bytes(content)
        os.chdir(folder)
        try:
            execute(block, namespace)
        finally:
            os.chdir(before)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    return {"values": values(block, namespace), "files": files, "objects": contents(BUCKET)}


def values(block: Block, namespace: dict[str, object]) -> dict[str, object]:
    """The plain values of the names that a block assigns at its top level."""
    assigned = {
        node.id
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {name: namespace[name] for name in assigned & namespace.keys() if isinstance(namespace[name], PLAIN)}
