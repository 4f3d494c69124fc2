"""Runs the Python blocks of a page in order, in one namespace, as if it were a module; `await` stands at the top level.

    python -X dev -W error -m tests.docs.run_page docs/readers.md

A block marked `compile-only` (after the word `python`) is compiled and not run.
"""

import ast
import asyncio
import inspect
import sys
from pathlib import Path
from types import ModuleType

from tests.docs.markdown import Block, blocks


def compiled(block: Block) -> object:
    """The code of a block, whose line numbers are those of its page."""
    text = "\n" * (block.line - 1) + block.text
    return compile(text, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def run(page: Path) -> None:
    """Runs a page. Its blocks share one event loop, which only those that await run on."""
    module = sys.modules["page"] = ModuleType("page")
    with asyncio.Runner() as runner:
        for block in blocks(page):
            code = compiled(block)
            if "compile-only" not in block.words:
                running = eval(code, vars(module))  # type: ignore[arg-type]
                if inspect.iscoroutine(running):
                    runner.run(running)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
