"""Writes the public classes of `entrepot.blocking` from the async facade: signatures, docstrings, one line of body.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "src" / "entrepot"
MARK: Final = "Generated from the async facade by `python tools/generate_blocking.py`; do not edit."
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

BODIES: Final = {"Reader": "ReadableFile", "Writer": "WritableFile", "Lister": "Pages"}
BY_HAND: Final = {"at", "blocking", "from_config", "from_uri", "info", "layer", "receive", "walk"}
"""Methods that the base classes have instead."""

BY_HAND_IN: Final = {
    "Operator": {"close"},
    "Reader": {"read"},
    "Writer": {"write"},
    "Lister": {"next", "next_page", "__aiter__"},
}
"""Methods that the base class of one class has instead, because files or pages need more."""

OVERLAPPING: Final = {"fetch", "fetch_views"}
"""Methods of bodies that send several requests at a time."""

RENAMED: Final = {"aclose": "close"}
TYPES: Final = {
    "Source": "BlockingSource",
    "Targets": "Iterable[Path | Entry]",
    "AsyncIterator": "Iterator",
    "Operator": "BlockingOperator",
    "Glob": "BlockingLister",
    **{name: f"Blocking{name}" for name in BODIES},
}
ARGUMENTS: Final = {
    "data: Source": "content",
    "paths: Targets": "self._bring('{operation}', '/', paths)",
    "ranges: Iterable[BytesRange | tuple[int, int | None]]": "list(ranges)",
}
"""Arguments whose iteration may run code of the caller. They are iterated in the calling thread (`_bring_data` ...)."""

CONTENTS: Final = {"write": "content", "write_text": "text"}
"""The content of the calls that write it, by which the place of the call is decided."""

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
    r" with a `(Progress|TreeStep)`, on the event loop\.": r" with a `\1`.",
    r"iterable or async iterable of bytes": "iterable of bytes",
    r"an open binary file, whose `read\(n\)` may be async, from": "an open binary file from",
    r"any iterable or async iterable": "any iterable",
    r"the call fails or is cancelled": "the call fails or is interrupted",
    r"Closes the connections of this event loop\.": "Closes the connections of this operator.",
    r"connections close when their event loop ends\.": "connections close when the interpreter ends.",
    r", also if the caller is cancelled during the call": "",
    r"`(Reader|Writer|Lister)`": r"`Blocking\1`",
}
CLASSES: Final = {
    "Operator": """Access to one storage without `await`. Immutable, cheap to make, and safe to share between threads.

    Made by `Operator.blocking`. Each method does and raises the same as the method of that name of `Operator`, in two
    spellings: `op.read(path, range=(0, 8))` and `op.read_with(path).range(0, 8).run()`.

    It also works in a thread that runs an event loop, and blocks that loop during each call.
    """,
    "Reader": """Reads an object, or a range of it, from a position on. Made by `BlockingOperator.reader`.

    Opening a reader does no I/O; errors such as `NotFound` are raised by its first use. Positions are bytes from the
    start of the requested range. After a temporary error or a timeout the position is unchanged, and the same call can
    be made again. One thread at a time may use the position; `fetch` may run beside other calls.

    Close the reader, best with `with`. A reader that is garbage-collected before the end of its range, with its
    connection or file still open, issues a `ResourceWarning`.

    It is a readable binary file, for example for `zipfile`, `tarfile` and `io.BufferedReader`, with one difference:
    iterating it yields chunks, not lines.

    Every method may raise the errors of the storage (`NotFound`, `PermissionDenied`, `ConditionNotMatch`,
    `RangeNotSatisfied`, `ContentIncomplete`, `Timeout`, `Unexpected`), and `InvalidInput` if the reader is closed or in
    use by another thread.
    """,
    "Writer": """Writes an object piece by piece. Made by `BlockingOperator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `with` closes the writer at the end of the block. If
    the block fails, it aborts the writer instead: the object is unchanged, and nothing is left on the storage. Only a
    `close` that is interrupted, or whose response is lost, may have published the object. After a temporary error or a
    timeout the same call can be made again.

    One thread at a time may use a writer. Every method may raise the errors of the storage (`PermissionDenied`,
    `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`), and `InvalidInput` if the writer is closed, aborted,
    in use by another thread, or used in a forked child of the process that opened it.
    """,
    "Lister": """Iterates the entries of a listing. Made by `BlockingOperator.lister`; opening it does no I/O.

    One page is in memory while the next one is fetched. After a temporary error or a timeout the same call can be made
    again and continues at the same entry. One thread at a time may use a lister.

    Close the lister, best with `with`. A lister that is garbage-collected while it fetches a page issues a
    `ResourceWarning`.

    Every method may raise the errors of the storage (`PermissionDenied`, `Timeout`, `Unexpected`), and `InvalidInput`
    if the lister is closed or in use by another thread.
    """,
}
HEADS: Final = {
    "operator": '"""`BlockingOperator`: the operations of one storage, without `await`."""',
    "reader": '''"""`BlockingReader`: an object, or a range of it, that is read piece by piece."""
import os
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
''',
    "writer": '"""`BlockingWriter`: an object that is written piece by piece and published at the end."""',
    "lister": '"""`BlockingLister`: the entries of a listing, with the next page fetched ahead."""',
}
HOMES: Final = {
    "BlockingSource": "entrepot.facade.sources",
    "Entry": "entrepot.types",
    "Iterable": "collections.abc",
    "Iterator": "collections.abc",
    "BlockingBase": ".base",
    "Pages": ".paging",
    "ReadableFile": ".file_like",
    "WritableFile": ".file_like",
    **{f"Blocking{name}": f".{name.lower()}" for name in BODIES},
}
"""The modules of names that the async module does not import."""


def generated(name: str, sources: Path = SOURCES) -> str:
    """The text of a module of `entrepot.blocking`, without its final format."""
    doc, _, head = HEADS[name].partition("\n")
    body = f"{head}{_twin(sources, name)}\n"
    start = [f'{doc[:-3]}\n\n{MARK}\n"""', "from __future__ import annotations"]
    return "\n".join([*start, *_imports(sources, name, body), body])


def _imports(sources: Path, module: str, body: str) -> list[str]:
    """Imports of the names that a module uses, most of them from where the facade imports them.

    Keywords of options are for type checkers only: making such a class takes as long as importing a small module.
    """
    tree = ast.parse(body)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    homes = _homes(sources, module) | {name: ".calls" for name in used if name.endswith("Call")} | HOMES
    names = sorted((used - defined) & homes.keys())
    keywords = [f"    from {homes[name]} import {name}" for name in names if name.endswith("Options")]
    checked = ["from typing import TYPE_CHECKING", "if TYPE_CHECKING:", *keywords] if keywords else []
    return [f"from {homes[name]} import {name}" for name in names if not name.endswith("Options")] + checked


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
    inline = _inline(sources) if cls.name == "Operator" else None
    methods = [_method(function, inline) for function in functions if _is_public(function.name, skipped)]
    return f'class Blocking{cls.name}({base}):\n    """{CLASSES[cls.name]}"""\n' + "\n".join(methods)


def _is_public(name: str, skipped: set[str]) -> bool:
    return name not in skipped and (not name.startswith("_") or name == "__aiter__")


def _inline(sources: Path) -> dict[str, str]:
    """The calls that may run in the calling thread, each with the name of the function that decides it."""
    tree = ast.parse((sources / "blocking" / "sides.py").read_text())
    tables = [node.value for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict)]
    items = [item for table in tables for item in zip(table.keys, table.values, strict=True)]
    return {ast.literal_eval(key): ast.unparse(value) for key, value in items if key is not None}


def _method(function: FUNCTION, inline: Mapping[str, str] | None) -> str:
    name, returns = function.name, ast.unparse(function.returns or ast.Constant(None))
    call = f"self._inner.{name}({_passed_on(function)})"
    if name == "__aiter__":
        name, body = "__iter__", "return self._each(self._inner)"
    elif name.endswith("_with"):
        subject = ", ".join(argument.arg for argument in function.args.args[1:])
        body = f"return {_call_name(returns)}(self.{name.removesuffix('_with')}, '{name}', ({subject},))"
        returns = _call_name(returns)
    elif returns.startswith("Future"):
        returns = TYPES[returns.removeprefix("Future")]
        runners = "side.runner, self._overlapping.runner" if returns == "BlockingReader" else "side.runner"
        body = f"side = {_side(name, inline)}\nreturn {returns}(self._opened(side, {_on_side(call)}), {runners})"
    elif "other" in call:
        call = call.removeprefix("self._inner.").replace("other", "target_operator", 1)
        body = f"return self._run_beside('{name}', other, lambda operator, target_operator: operator.{call})"
    else:
        body = _body(name, call, inline, is_async=isinstance(function, ast.AsyncFunctionDef))
        body = body.replace("return ", "") if returns == "None" else body
    return _function(function, RENAMED.get(name, name), returns, *body.splitlines())


def _body(name: str, call: str, inline: Mapping[str, str] | None, *, is_async: bool) -> str:
    """The statements that make a call: in the calling thread, on the loop, or where its arguments decide."""
    if not is_async:
        return f"return {call}"
    if inline is None:
        return f"return self._run_overlapping({call})" if name in OVERLAPPING else f"return self._run({call})"
    if inline.get(name) == "always":
        return f"return self._run({call})"
    brought = f"content = self._bring_data('{name}', path, data)\n" if "content" in call else ""
    return f"{brought}side = {_side(name, inline)}\nreturn side.run({_on_side(call)})"


def _side(name: str, inline: Mapping[str, str] | None) -> str:
    if inline is None or name not in inline:
        return "self._overlapping"
    content = CONTENTS.get(name)
    return f"self._side('{name}', options{'' if content is None else f', {content}'})"


def _on_side(call: str) -> str:
    return call.replace("self._inner", "side.operator", 1)


def _call_name(future: str) -> str:
    return f"{future.removeprefix('Future')}Call"


def _passed_on(function: FUNCTION) -> str:
    """The arguments of a blocking method as it passes them to the async method."""
    by_position = [_brought(function, argument) for argument in function.args.args[1:]]
    by_name = [f"{argument.arg}={argument.arg}" for argument in function.args.kwonlyargs]
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
