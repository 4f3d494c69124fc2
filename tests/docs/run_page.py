"""Runs the Python blocks of a page in order, in one namespace, as if it were a module; `await` stands at the top level.

    python -X dev -W error -m tests.docs.run_page docs/readers.md

What a block needs stands after the word `python`:

- `compile-only`: it is compiled and not run.
- `needs:polars`: it runs where these modules are (separated by commas), and is compiled elsewhere.
- `s3`: it needs the buckets of `page_bucket`. A page with such a block starts SeaweedFS, unless the environment has a
  server: ENTREPOT_TEST_PAGES_S3 is its endpoint.
- `theirs:boto3`: the same work in another library. The next block, marked `ours`, must do the same (`side_by_side`).

With ENTREPOT_TEST_ALL_BLOCKS=needs, or =theirs, a module that such a block needs and that is missing fails the page. A
block that starts a server whose program is missing ends there, unless ENTREPOT_TEST_ALL_SERVERS is set.
"""

import ast
import asyncio
import inspect
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from entrepot.testing import NotInstalled, S3Server, seaweedfs
from tests.docs.markdown import Block, blocks
from tests.docs.page_bucket import empty_buckets
from tests.docs.side_by_side import Pair


def compiled(block: Block) -> object:
    """The code of a block, whose line numbers are those of its page."""
    text = "\n" * (block.line - 1) + block.text
    return compile(text, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def needs(block: Block, mark: str) -> list[str]:
    """The modules that a block needs by one of its marks."""
    return [name for word in block.words if word.startswith(f"{mark}:") for name in word.partition(":")[2].split(",")]


def is_runnable(block: Block) -> bool:
    """Whether a block can run here.

    Raises:
        LookupError: it could not, and all blocks must.
    """
    for mark in ("needs", "theirs"):
        missing = [name for name in needs(block, mark) if find_spec(name) is None]
        if missing and os.environ.get("ENTREPOT_TEST_ALL_BLOCKS") == mark:
            raise LookupError(f"{block} needs {', '.join(missing)}")
        if missing:
            return False
    return "compile-only" not in block.words


@contextmanager
def buckets_for(page: list[Block]) -> Iterator[None]:
    """The server of S3, if a block needs it."""
    if not any("s3" in block.words or "ours" in block.words for block in page):
        yield
    elif endpoint := os.environ.get("ENTREPOT_TEST_PAGES_S3"):
        with empty_buckets(S3Server(endpoint=endpoint)):
            yield
    else:
        with tempfile.TemporaryDirectory() as folder, seaweedfs(Path(folder)) as server, empty_buckets(server):
            yield


def run(page: Path) -> None:
    """Runs a page. Its blocks share one event loop, which only those that await run on."""
    module = sys.modules["page"] = ModuleType("page")
    forgiven = [] if os.environ.get("ENTREPOT_TEST_ALL_SERVERS") else [NotInstalled]
    with asyncio.Runner() as runner, buckets_for(blocks(page)):

        def execute(block: Block, namespace: dict[str, object]) -> None:
            with suppress(*forgiven):
                running = eval(compiled(block), namespace)  # type: ignore[arg-type]
                if inspect.iscoroutine(running):
                    runner.run(running)

        theirs = None
        for block in blocks(page):
            if needs(block, "theirs"):
                theirs = block
            if not is_runnable(block):
                compiled(block)
            elif theirs is None:
                execute(block, vars(module))
            elif block is theirs:
                continue
            else:
                Pair(theirs if is_runnable(theirs) else None, block).run(execute, vars(module))
                theirs = None
        assert theirs is None, f"{theirs} has no block of ours beside it"


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
