"""Writes what is called in `entrepot.blocking` from the async facade: signatures, docstrings, one line of body.

    python tools/generate_blocking.py

Run it after any change of a public method of the facade; a test says when it was forgotten. It stops at a
docstring that still speaks of `await`, which then needs a line in `WORDS`. What follows from the options, such as the
builders, is written by `generate_facade.py`, which runs this program too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "src" / "entrepot"
MARK: Final = "Generated from the async facade by `python tools/generate_blocking.py`; do not edit."
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

BODIES: Final = {"Reader": "ReadableFile", "Writer": "WritableFile", "Lister": "Pages"}
BY_HAND: Final = {"at", "blocking", "from_config", "from_uri", "info", "layer", "receive"}
"""What `BlockingBase` and the bases of the bodies have instead."""

BY_HAND_IN: Final = {"Reader": {"read"}, "Writer": {"write"}, "Lister": {"next", "next_page", "__aiter__"}}
"""What the bases of single classes have instead, because files or pages ask for more."""

RENAMED: Final = {"aclose": "close"}
TYPES: Final = {
    "Source": "BlockingSource",
    "Targets": "Iterable[Path | Entry]",
    "AsyncIterator": "Iterator",
    "Operator": "BlockingOperator",
    **{name: f"Blocking{name}" for name in BODIES},
}
ARGUMENTS: Final = {
    "data: Source": "self._bring_data('{operation}', path, data)",
    "paths: Targets": "self._bring('{operation}', '/', paths)",
    "ranges: Iterable[BytesRange | tuple[int, int | None]]": "list(ranges)",
}
"""Arguments whose iteration may run code of the caller's, which is run in its own thread."""

WORDS: Final = {
    r"`await (op\.\w+_with\([^`]*)`": r"`\1.run()`",
    r"`async for (.*?)`": r"`for \1`",
    r"`async with (.*?)`": r"`with \1`",
    r"Await it for the `(\w+)`, enter it with `async with`, or iterate it by chunks with `async for`\.": (
        r"Enter it with `with`, or iterate it by chunks with `for`."
    ),
    r"Await it for the `(\w+)`, enter it with `async with`, or iterate it with `async for`\.": (
        r"Enter it with `with`, or iterate it with `for`."
    ),
    r"Await it for the `Writer`, or better enter it: ": "Enter it: ",
    r"an iterator or async iterator of bytes": "an iterable of bytes",
    r"an open binary file, whose `read\(n\)` may be async, from": "an open binary file from",
    r"any iterable or async iterable": "any iterable",
    r"it fails or is cancelled": "it fails or is interrupted",
    r"awaiting it gives": "`run()` gives",
    r"It can be awaited, entered with `async with`, or iterated": "It can be run, entered with `with`, or iterated",
    r"It can be awaited, or entered with `async with`": "It can be run, or entered with `with`",
    r"Closes the connections of this event loop now\.": "Closes the connections of this operator now.",
    r"They close by themselves when their loop ends\.": "They close by themselves when the interpreter ends.",
    r", also when the caller is cancelled meanwhile": "",
    r"`(Reader|Writer|Lister)`": r"`Blocking\1`",
}
CLASSES: Final = {
    "Operator": """One storage, whatever it is, without `await`. Immutable, cheap, and safe to share between threads.

    Made by `Operator.blocking`, and means the same in all it does: `op.read(path, range=(0, 8))` and
    `op.read_with(path).range(0, 8).run()`. Every method raises what the same method of `Operator` raises.

    It works in a thread that runs an event loop too, and holds that up.
    """,
    "Reader": """A range of an object, with a position. Made by `BlockingOperator.reader`; opening it does no I/O.

    Positions are bytes from the start of the range that was asked for. After a temporary error or a timeout
    the position is where it was, and the same call can be made again. One thread at a time uses the
    position; `fetch` does not use it. Every method may raise what the storage answers:
    `NotFound`, `PermissionDenied`, `ConditionNotMatch`, `RangeNotSatisfied`, `ContentIncomplete`,
    `Timeout`, `Unexpected`; and `InvalidInput` when the reader is closed or in use.

    Close it, best by `with`: one that is dropped midway warns (`ResourceWarning`), for what it holds, such as a
    connection, is then given back only when it is collected.

    It stands where a binary file is wanted to be read: for `zipfile`, `tarfile`, `io.BufferedReader`. Only,
    iterating it gives chunks and not lines.
    """,
    "Writer": """An object that is being written. Made by `BlockingOperator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `with` closes it at the end, and aborts
    when the block is left by an exception: then nothing appears, and nothing is left on the storage. After
    a temporary error or a timeout the same call can be made again.

    One thread at a time uses a writer. Every method may raise what the storage answers:
    `PermissionDenied`, `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`; and `InvalidInput`
    when the writer is closed, aborted or in use.
    """,
    "Lister": """A listing, with a position. Made by `BlockingOperator.lister`; opening it does no I/O.

    It holds one page in memory while the next one is fetched. After a temporary error or a timeout the same
    call goes on at the same place. One thread at a time uses it. Every method may raise what the storage
    answers: `PermissionDenied`, `Timeout`, `Unexpected`; and `InvalidInput` when the lister is closed or in use.

    Close it, best by `with`: one that is dropped while a page is on its way warns (`ResourceWarning`).
    """,
}
HEADS: Final = {
    "operator": '"""What people call who do not await: one operator over one storage."""',
    "reader": '''"""What `reader` gives: one object, or a range of it, to be read in whatever way is needed."""
import os
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
''',
    "writer": '"""What `writer` gives: one object, to be written piece by piece and published at the end."""',
    "lister": '"""What `lister` gives: one listing, entry by entry, with the next page on its way."""',
}
HOMES: Final = {
    "BlockingSource": "entrepot.facade.sources",
    "Entry": "entrepot.types",
    "Iterable": "collections.abc",
    "Iterator": "collections.abc",
    "BlockingBase": ".twin",
    "Pages": ".paging",
    "ReadableFile": ".file_like",
    "WritableFile": ".file_like",
    **{f"Blocking{name}": f".{name.lower()}" for name in BODIES},
}
"""Where names are from that the facade has not imported."""


def generated(name: str, sources: Path = SOURCES) -> str:
    """The text of a module of `entrepot.blocking`, without its final format."""
    doc, _, head = HEADS[name].partition("\n")
    body = f"{head}{_twin(sources, name)}\n"
    start = [f'{doc[:-3]}\n\n{MARK}\n"""', "from __future__ import annotations"]
    return "\n".join([*start, *_imports(sources, name, body), body])


def _imports(sources: Path, module: str, body: str) -> list[str]:
    """Imports of the names that a module uses, most of them from where the facade imports them."""
    tree = ast.parse(body)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    homes = _homes(sources, module) | {name: ".calls" for name in used if name.endswith("Call")} | HOMES
    return [f"from {homes[name]} import {name}" for name in sorted((used - defined) & homes.keys())]


def _homes(sources: Path, module: str) -> dict[str, str]:
    """The modules of the names of a module of the facade: those that it imports, and those that it defines."""
    tree = ast.parse((sources / "facade" / f"{module}.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "_typeshed"]
    imported = {
        alias.name: (f"entrepot.facade.{node.module}" if node.level else str(node.module))
        for node in imports
        for alias in node.names
    }
    values = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [node.target if isinstance(node, ast.AnnAssign) else node.targets[0] for node in values]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return dict.fromkeys(names, f"entrepot.facade.{module}") | imported


def _twin(sources: Path, module: str) -> str:
    """The blocking class of an async one: each method runs the method of that name."""
    (cls,) = (node for node in _classes(sources, module) if node.name == module.capitalize())
    base = BODIES.get(cls.name, "BlockingBase")
    skipped = BY_HAND | BY_HAND_IN.get(cls.name, set())
    functions = [node for node in cls.body if isinstance(node, FUNCTION)]
    if any(function.name == "close" for function in functions):
        skipped |= {"aclose"}
    methods = [_method(function) for function in functions if _is_public(function.name, skipped)]
    return f'class Blocking{cls.name}({base}):\n    """{CLASSES[cls.name]}"""\n' + "\n".join(methods)


def _is_public(name: str, skipped: set[str]) -> bool:
    return name not in skipped and (not name.startswith("_") or name == "__aiter__")


def _method(function: FUNCTION) -> str:
    name, returns = function.name, ast.unparse(function.returns or ast.Constant(None))
    call = f"self._inner.{name}({_passed_on(function)})"
    if name == "__aiter__":
        name, body = "__iter__", "return self._each(self._inner)"
    elif name.endswith("_with"):
        about = ", ".join(one.arg for one in function.args.args[1:])
        body = f"return {_call_name(returns)}(self.{name.removesuffix('_with')}, '{name}', ({about},))"
        returns = _call_name(returns)
    elif returns.startswith("Future"):
        returns = TYPES[returns.removeprefix("Future")]
        body = f"return {returns}(self._opened({call}), self._runner)"
    elif "other" in call:
        call = call.removeprefix("self._inner.").replace("other", "two", 1)
        body = f"return self._run_beside('{name}', other, lambda one, two: one.{call})"
    else:
        body = f"return self._run({call})" if isinstance(function, ast.AsyncFunctionDef) else f"return {call}"
        body = body.removeprefix("return ") if returns == "None" else body
    return _function(function, RENAMED.get(name, name), returns, body)


def _call_name(future: str) -> str:
    return f"{future.removeprefix('Future')}Call"


def _passed_on(function: FUNCTION) -> str:
    """The arguments of a method, as they are passed on to its twin."""
    by_position = [_brought(function, one) for one in function.args.args[1:]]
    by_name = [f"{one.arg}={one.arg}" for one in function.args.kwonlyargs]
    return ", ".join([*by_position, *by_name, *(["**options"] if function.args.kwarg else [])])


def _brought(function: FUNCTION, argument: ast.arg) -> str:
    return ARGUMENTS.get(ast.unparse(argument), argument.arg).format(operation=function.name)


def _function(function: FUNCTION, name: str, returns: str, *body: str) -> str:
    lines = [f"def {name}({_translated(ast.unparse(function.args))}) -> {_translated(returns)}:"]
    if (doc := ast.get_docstring(function, clean=False)) is not None:
        lines.append(f'    """{_without_await(doc)}"""')
    return "\n".join(f"    {line}" for line in [*lines, *(f"    {line}" for line in body)]) + "\n"


def _translated(annotations: str) -> str:
    return re.sub(r"(?<![\w.])[A-Z]\w+", lambda match: TYPES.get(match[0], match[0]), annotations)


def _without_await(doc: str) -> str:
    for pattern, instead in WORDS.items():
        doc = re.sub(pattern, instead, doc)
    if left := re.search(r".*\b(await|async|task|cancel|event loop).*", doc):
        raise SystemExit(f"a docstring needs a line in WORDS: {left[0].strip()}")
    return doc


def _classes(sources: Path, module: str) -> list[ast.ClassDef]:
    tree = ast.parse((sources / "facade" / f"{module}.py").read_text())
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def main(sources: Path = SOURCES) -> None:
    """Writes the modules and formats them."""
    files = [sources / "blocking" / f"{name}.py" for name in HEADS]
    for file in files:
        file.write_text(generated(file.stem, sources))
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--quiet", "--config", str(ROOT / "pyproject.toml")]
    subprocess.run([*ruff, "check", *settings, "--fix", "--select", "I", *files], check=True)
    subprocess.run([*ruff, "format", *settings, *files], check=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
