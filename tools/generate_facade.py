"""Writes all that follows from the options of the operations, which `raw/ops.py` declares.

    python tools/generate_facade.py

Run it after any change of an option or of a public method of the facade; tests say when it was forgotten. It writes

- `facade/keywords.py`: the TypedDicts of the keyword arguments,
- `facade/futures.py` and `blocking/calls.py`: the builders,
- the lines of the options in the docstrings of `facade/operator.py`,
- the flags of the options in `types/capability.py`,

and then runs `generate_blocking.py`, which writes the blocking classes from the async ones.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "src" / "entrepot"
MARK: Final = "Generated from `raw/ops.py` by `python tools/generate_facade.py`; do not edit."
WIDTH: Final = 120

RECORDS: Final = {
    "stat": ("OpStat", "StatOptions"),
    "read": ("OpRead", "ReaderOptions"),
    "write": ("OpWrite", "WriterOptions"),
    "delete": ("OpDelete", "DeleteOptions"),
    "list": ("OpList", "ListerOptions"),
    "copy": ("OpCopy", "CopyOptions"),
    "rename": ("OpRename", "RenameOptions"),
}
"""By operation: its record, and the TypedDict of its keywords."""

OPENS: Final = {"read": "Reader", "write": "Writer", "list": "Lister"}
"""By operation: the object that the method named after that object opens."""

RESULTS: Final = {
    "stat": ("Metadata", "returns the `Metadata`"),
    "read": ("bytes", "returns the bytes"),
    "write": ("Metadata", "returns the `Metadata` of the stored object"),
    "delete": ("None", "makes the deletion"),
    "list": ("list[Entry]", "returns the entries"),
    "copy": ("Metadata", "returns the `Metadata` of the target"),
    "rename": ("None", "makes the change"),
}
SIGNED: Final = ("read", "stat", "write", "delete")
"""The operations that have a `presign_*` method."""

METHODS: Final = {**{operation: operation for operation in RECORDS}, "copy_to": "copy"}
"""The methods of `Operator` whose docstring describes each option, with the operation whose options they take."""

COPY_TO: Final = {
    "if_not_exists": "`write_with_if_not_exists` there",
    "if_match": "`write_with_if_match` there",
    "source_version": "`read_with_version` here",
    "content_type": "`write_with_content_type` there",
    "content_disposition": "`write_with_content_disposition` there",
    "content_encoding": "`write_with_content_encoding` there",
    "cache_control": "`write_with_cache_control` there",
    "content_language": "`write_with_content_language` there",
    "user_metadata": "`write_with_user_metadata` there",
    "tags": "`write_with_tags` there",
    "storage_class": "`write_with_storage_class` there",
    "acl": "`write_with_acl` there",
}
"""The capabilities that `copy_to` requires of one of its two storages."""

KEYWORD_TYPES: Final = {"BytesRange": "Range", "PathText | None": "Path | None"}
PLAIN_TYPES: Final = {"Count": "int", "Size": "int", "Tags": "Mapping[str, str]"}
RANGE_STEP: Final = '''
    def range(self, start: int = 0, end: int | None = None, *, suffix: int | None = None) -> Self:
        """The bytes from `start` up to, not including, `end`; or the last `suffix` bytes."""
        return self._with(range=UncheckedRange(start, end, suffix))
'''
KNOWN_TYPES: Final = {
    *("BytesRange", "str | None", "PathText | None", "datetime | None", "bool", "Count | None", "Size | None", "Size"),
    *("Mapping[str, str] | None", "Tags | None"),
}


@dataclass(frozen=True)
class Option:
    """One option of an operation, as its record declares it.

    Arguments:
        operation: the operation.
        name: the name of the field.
        type: the type of the field, without its marker.
        is_hint: whether it changes no result.
        is_signed: whether it can be part of a presigned request.
        text: its documentation.
    """

    operation: str
    name: str
    type: str
    is_hint: bool
    is_signed: bool
    text: str

    @property
    def flag(self) -> str | None:
        """The field of `Capability` that allows the option; None if no service refuses it."""
        if self.type == "BytesRange":
            return f"{self.operation}_with_suffix"
        return None if self.is_hint else f"{self.operation}_with_{self.name}"

    @property
    def keyword_type(self) -> str:
        """The type that the caller passes."""
        return re.sub(r"\w+", lambda word: PLAIN_TYPES.get(word[0], word[0]), KEYWORD_TYPES.get(self.type, self.type))

    def described(self, required: str | None) -> str:
        """The documentation as one paragraph, with the default of a flag and the required capability."""
        default = " By default False." if self.type == "bool" else ""
        what = "A suffix requires" if self.type == "BytesRange" else "Requires"
        return f"{self.text}{default}" + (f" {what} {required}." if required else "")


def options_of(source: str) -> dict[str, list[Option]]:
    """The options of each operation.

    Arguments:
        source: the text of `raw/ops.py`.
    """
    classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    return {operation: list(_options(operation, classes[record])) for operation, (record, _) in RECORDS.items()}


def _options(operation: str, record: ast.ClassDef) -> Iterator[Option]:
    texts = dict(_entries(inspect.cleandoc(ast.get_docstring(record) or "")))
    for field in record.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name, marked = field.target.id, ast.unparse(field.annotation)
            marker = re.match(r"(Hint|Unsigned)\[", marked)
            type_ = "".join(marked[marker.end() :].rsplit("]", 1)) if marker else marked
            if type_ not in KNOWN_TYPES:
                raise SystemExit(f"{record.name}.{name}: no check is known for the type {type_} (facade/options.py)")
            if name not in texts:
                raise SystemExit(f'{record.name}.{name} has no line under "Arguments:"')
            is_hint = marker is not None and marker[1] == "Hint"
            yield Option(operation, name, type_, is_hint, marker is None, texts[name])


def _entries(doc: str) -> Iterator[tuple[str, str]]:
    """The entries of the section "Arguments:", each as one paragraph."""
    section = re.search(r"^Arguments:\n((?:    .*\n?|\n)*)", doc, re.MULTILINE)
    for entry in re.finditer(r"^    (\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.MULTILINE):
        yield entry[1], " ".join(entry[2].split())


def keywords(options: dict[str, list[Option]]) -> str:
    """The text of `facade/keywords.py`, without its final format."""
    classes: list[str] = []
    for operation, (record, name) in RECORDS.items():
        base, rest = "TypedDict", options[operation]
        if operation in SIGNED:
            base, signed = f"Presign{operation.title()}Options", [option for option in rest if option.is_signed]
            doc = f"Options of `presign_{operation}`: the options of `{operation}` that a presigned request can have."
            classes.append(_typed_dict(base, "TypedDict", doc, signed))
            rest = [option for option in rest if not option.is_signed]
        methods = " and ".join(f"`{method}`" for method in [operation, *_opener(operation), *_copier(operation)])
        classes.append(_typed_dict(name, base, f"Options of {methods}; see `{record}`.", rest))
    return f'''"""The options of the public operations as keyword arguments.

{MARK}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from .options import Path, Range

''' + "\n\n".join(classes)


def _typed_dict(name: str, base: str, doc: str, options: list[Option]) -> str:
    fields = "".join(f"    {option.name}: {option.keyword_type}\n" for option in options)
    return f'class {name}({base}, total=False):\n    """{doc}"""\n\n{fields}'


def _opener(operation: str) -> list[str]:
    return [OPENS[operation].lower()] if operation in OPENS else []


def _copier(operation: str) -> list[str]:
    return [method for method, taken in METHODS.items() if taken == operation != method]


@dataclass(frozen=True)
class Style:
    """How the builders of one facade are written.

    Arguments:
        base: the base class of all builders.
        entered: the base class of builders whose result is entered.
        prefix: the prefix of the classes of what is opened.
        name: the name of the builder of a method.
        doc: the docstring of a builder, of its method and of its result.
        opened_doc: the same of a builder whose result is entered.
        each: the methods that iterate what a builder opens.
        head: the start of the module.
    """

    base: str
    entered: str
    prefix: str
    name: str
    doc: str
    opened_doc: str
    each: dict[str, str]
    head: str


ASYNC: Final = Style(
    base="Future",
    entered="Entered",
    prefix="",
    name="Future{}",
    doc="`{method}`, described step by step. Awaiting it {result}.",
    opened_doc="`{method}`, described step by step. It can be awaited, {ways}.",
    each={
        "read": """
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with await self as reader:
            while chunk := await reader.next():  # `async for` would need a second generator, closed separately
                yield chunk
""",
        "list": """
    async def __aiter__(self) -> AsyncIterator[Entry]:
        async with await self as lister:
            while page := await lister.next_page():
                for entry in page:
                    yield entry
""",
    },
    head=f'''"""The builders: `op.read_with(path).range(0, 8).if_match(etag)`, then awaited.

{MARK}
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.types import Entry, Metadata, PresignedRequest

from .future import Entered, Future
from .iterate import ByAsyncFor
from .options import Path, UncheckedRange

if TYPE_CHECKING:
    from entrepot.types import Copied  # noqa: F401 - a base below names it

    from .lister import Lister  # noqa: F401 - a base below names it
    from .reader import Reader  # noqa: F401 - a base below names it
    from .writer import Writer  # noqa: F401 - a base below names it

T = TypeVar("T")

''',
)
BLOCKING: Final = Style(
    base="Call",
    entered="EnteredCall",
    prefix="Blocking",
    name="{}Call",
    doc="`{method}`, described step by step. `run()` {result}.",
    opened_doc="`{method}`, described step by step. It can be run, {ways}.",
    each={
        "read": """
    def __iter__(self) -> Iterator[bytes]:
        with self.run() as opened:
            yield from opened
""",
        "list": """
    def __iter__(self) -> Iterator[Entry]:
        with self.run() as opened:
            yield from opened
""",
    },
    head=f'''"""The builders: `op.read_with(path).range(0, 8).if_match(etag).run()`.

{MARK}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from entrepot.facade.options import Path, UncheckedRange
from entrepot.types import Entry, Metadata, PresignedRequest

from .call import Call, EnteredCall

if TYPE_CHECKING:
    from entrepot.types import Copied  # noqa: F401 - a base below names it

    from .lister import BlockingLister  # noqa: F401 - a base below names it
    from .reader import BlockingReader  # noqa: F401 - a base below names it
    from .writer import BlockingWriter  # noqa: F401 - a base below names it

T = TypeVar("T")

''',
)


def builders(options: dict[str, list[Option]], style: Style) -> str:
    """The text of `facade/futures.py` or `blocking/calls.py`, without its final format."""
    steps = [text for operation in RECORDS for text in _steps(operation, options[operation], style)]
    calls = [text for operation in RECORDS for text in _builders(operation, options[operation], style)]
    return style.head + "\n\n".join([*steps, *calls])


def _steps(operation: str, options: list[Option], style: Style) -> Iterator[str]:
    """The classes that have a method for each option of an operation."""
    base, rest, name = style.base, options, operation.title()
    if operation in SIGNED:
        base, rest = f"_Signed{name}", [option for option in options if not option.is_signed]
        yield _step_class(base, style.base, [option for option in options if option.is_signed])
    if rest:
        yield _step_class(f"_{name}", base, rest)


def _step_class(name: str, base: str, options: list[Option]) -> str:
    return f"class {name}({base}[T]):\n" + "\n".join(map(_step, options))


def _step(option: Option) -> str:
    if option.type == "BytesRange":
        return RANGE_STEP
    name, type_ = option.name, option.keyword_type.removesuffix(" | None")
    default = " = True" if option.type == "bool" else ""
    required = f" Requires `{option.flag}`." if option.flag else ""
    doc = _docstring(f"{option.text[0].upper()}{option.text[1:]}{required}", 8)
    return f"    def {name}(self, {name}: {type_}{default}) -> Self:\n{doc}        return self._with({name}={name})\n"


def _docstring(text: str, indent: int) -> str:
    """A docstring whose first sentence is its first line, where all of it does not fit on one line."""
    margin = " " * indent
    if indent + len(text) + 6 <= WIDTH:
        return f'{margin}"""{text}"""\n'
    first, _, rest = text.partition(". ")
    wrapped = textwrap.fill(rest, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
    return f'{margin}"""{first}.\n\n{wrapped}\n{margin}"""\n'


def _builders(operation: str, options: list[Option], style: Style) -> Iterator[str]:
    name, (type_, result) = operation.title(), RESULTS[operation]
    steps = f"_Signed{name}" if operation in SIGNED and all(option.is_signed for option in options) else f"_{name}"
    yield _builder(style, name, f"{steps}[{type_}]", style.doc.format(method=operation, result=result))
    if operation in OPENS:
        opened = f'"{style.prefix}{OPENS[operation]}"'
        item = {"read": "chunks", "list": "entries"}.get(operation)
        with_ = "entered with `async with`" if style is ASYNC else "entered with `with`"
        ways = f"{with_}, or iterated by {item}" if item else f"or {with_}"
        doc = style.opened_doc.format(method=OPENS[operation].lower(), ways=ways)
        iterated = ", ByAsyncFor" if item and style is ASYNC else ""
        bases = f"{steps}[{opened}], {style.entered}[{opened}]{iterated}"
        yield _builder(style, OPENS[operation], bases, doc) + style.each.get(operation, "")
    for copier in _copier(operation):
        doc = style.doc.format(method=copier, result="returns the `Copied`")
        yield _builder(style, copier.title().replace("_", ""), f'{steps}["Copied"]', doc)
    if operation in SIGNED:
        doc = style.doc.format(method=f"presign_{operation}", result="returns the `PresignedRequest`")
        yield _builder(style, f"Presign{name}", f"_Signed{name}[PresignedRequest]", doc)


def _builder(style: Style, name: str, bases: str, doc: str) -> str:
    return f'class {style.name.format(name)}({bases}):\n    """{doc}"""\n'


def with_option_lines(source: str, options: dict[str, list[Option]]) -> str:
    """The text of `facade/operator.py` with the lines of the options in its docstrings.

    In a section "Arguments:", entries of parameters are written by hand and come first; all others are replaced.
    """
    (operator,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Operator"
    )
    for node in operator.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name in METHODS:
            doc = ast.get_docstring(node, clean=False) or ""
            parameters = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
            source = source.replace(doc, _with_option_lines(doc, parameters, node.name, options), 1)
    return source


def _with_option_lines(doc: str, parameters: set[str], method: str, options: dict[str, list[Option]]) -> str:
    before, heading, section, after = _split(doc)
    by_hand = [
        entry
        for entry in re.findall(r" {12}\w+: .*\n(?: {16}.*\n)*", section)
        if entry.split(":")[0].strip() in parameters
    ]
    lines = [_entry(option, _required(method, option)) for option in options[METHODS[method]]]
    return before + heading + "".join([*by_hand, *lines]) + after


def _split(doc: str) -> tuple[str, str, str, str]:
    """A docstring as its text before the section "Arguments:", the heading, the entries and the rest."""
    match = re.search(r"( {8}Arguments:\n)((?: {12}.*\n)*)", doc)
    if match is None:
        raise SystemExit(f'a docstring of `Operator` has no section "Arguments:": {doc.strip().splitlines()[0]}')
    return doc[: match.start()], match[1], match[2], doc[match.end() :]


def _required(method: str, option: Option) -> str | None:
    if method == "copy_to" and option.name in COPY_TO:
        return COPY_TO[option.name]
    return f"`{option.flag}`" if option.flag else None


def _entry(option: Option, required: str | None) -> str:
    text = f"{option.name}: {option.described(required)}"
    indent = {"initial_indent": " " * 12, "subsequent_indent": " " * 16}
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False, **indent) + "\n"  # type: ignore[arg-type]


def with_flags(source: str, options: dict[str, list[Option]]) -> str:
    """The text of `types/capability.py` with the flags of the options, which stand together for each operation."""
    for operation, listed in options.items():
        flags = "".join(f"    {option.flag}: bool = False\n" for option in listed if option.flag)
        native = rf"    {operation}: bool = False\n(?:    {operation}_can_\w+: bool = False\n)*"
        source = re.sub(rf"({native})(?:    {operation}_with_\w+: bool = False\n)*", rf"\g<1>{flags}", source)
    return source


def generated(sources: Path = SOURCES) -> dict[Path, str]:
    """The texts of all files that follow from the options, without their final format."""
    options = options_of((sources / "raw" / "ops.py").read_text())
    operator, capability = sources / "facade" / "operator.py", sources / "types" / "capability.py"
    return {
        sources / "facade" / "keywords.py": keywords(options),
        sources / "facade" / "futures.py": builders(options, ASYNC),
        sources / "blocking" / "calls.py": builders(options, BLOCKING),
        operator: with_option_lines(operator.read_text(), options),
        capability: with_flags(capability.read_text(), options),
    }


def main(sources: Path = SOURCES) -> None:
    """Writes the files and formats them, then writes those of the blocking facade."""
    files = generated(sources)
    for file, text in files.items():
        file.write_text(text)
    ruff = [sys.executable, "-m", "ruff", "--config", str(ROOT / "pyproject.toml")]
    subprocess.run([*ruff, "check", "--quiet", "--fix", "--select", "F401,I", *files], check=True)
    subprocess.run([*ruff, "format", "--quiet", *files], check=True)
    blocking = Path(__file__).with_name("generate_blocking.py")
    subprocess.run([sys.executable, str(blocking), str(sources)], check=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
