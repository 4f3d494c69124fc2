"""Writes the pages of the documentation site into build/docs, from which MkDocs builds it.

    python tools/site_pages.py

The pages in docs/ read as well where they are, so links in them name files of the project. Here each link becomes one
between pages of the site. Pages that would repeat the code are generated: one for each service and layer, the API
reference, and the facts of the index of errors. The site generator sees plain Markdown only, so it can be replaced.
"""

from __future__ import annotations

import ast
import inspect
import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Final, NamedTuple

PROJECT: Final = Path(__file__).parents[1]
TARGET: Final = PROJECT / "build" / "docs"
sys.path[:0] = [
    str(PROJECT / "src"),
    str(PROJECT / "tools"),
]  # the tree that this file is part of, whatever is installed

from generate_services import Service, made_by, services, table  # noqa: E402

from entrepot import errors, layers  # noqa: E402
from entrepot.raw import OPERATIONS, AroundAccessor, LayeredAccessor  # noqa: E402
from entrepot.types import Capability  # noqa: E402

LAYERS_PAGE: Final = "docs/shipped-layers.md"
ERRORS_PAGE: Final = "docs/error-index.md"
OUTSIDE: Final = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/report-a-vulnerability.md",
}
"""Pages outside of docs/ that the site has too."""

WHOLE: Final = {"read": "read_whole", "write": "write_whole"}
FLAGS: Final = [field.name for field in fields(Capability)]


class Reference(NamedTuple):
    """A page of the API reference.

    Arguments:
        title: its first heading.
        module: the module whose public names it has.
        names: those names; empty means all in `__all__`.
    """

    title: str
    module: str
    names: tuple[str, ...] = ()


REFERENCES: Final = {
    "operator": Reference("Operator", "entrepot", ("Operator",)),
    "bodies": Reference("Reader, Writer, Lister", "entrepot", ("Reader", "Writer", "Lister")),
    "blocking": Reference("Blocking classes", "entrepot.blocking"),
    "types": Reference("Types", "entrepot.types"),
    "filters": Reference("Filters of paths", "entrepot", ("PathFilter",)),
    "errors": Reference("Error classes", "entrepot.errors"),
    "services": Reference("Configurations of services", "entrepot.services"),
    "layers": Reference("Layer classes", "entrepot.layers"),
    "signing": Reference("Credentials and signatures", "entrepot.signing"),
    "raw": Reference("entrepot.raw: for authors of services and layers", "entrepot.raw"),
    "oio": Reference("entrepot.raw.oio: bodies", "entrepot.raw.oio"),
    "http": Reference("entrepot.raw.http: the transport", "entrepot.raw.http"),
    "testing": Reference("entrepot.testing", "entrepot.testing"),
    "integrations-fsspec": Reference("entrepot.integrations.fsspec", "entrepot.integrations.fsspec"),
    "integrations-upath": Reference("entrepot.integrations.upath", "entrepot.integrations.upath"),
    "integrations-zarr": Reference("entrepot.integrations.zarr", "entrepot.integrations.zarr"),
    "integrations-pyarrow": Reference("entrepot.integrations.pyarrow", "entrepot.integrations.pyarrow"),
    "integrations-obspec": Reference("entrepot.integrations.obspec", "entrepot.integrations.obspec"),
    "integrations-starlette": Reference("entrepot.integrations.starlette", "entrepot.integrations.starlette"),
    "integrations-asgi": Reference("entrepot.integrations.asgi", "entrepot.integrations.asgi"),
    "integrations-dask": Reference("entrepot.integrations.dask", "entrepot.integrations.dask"),
    "integrations-aiohttp": Reference("entrepot.integrations.aiohttp", "entrepot.integrations.aiohttp"),
}


def pages() -> dict[str, str]:
    """The Markdown of each page, by its path on the site."""
    made = {_on_site(_relative(file)): _linked(file.read_text(), _relative(file)) for file in _sources()}
    made["error-index.md"] = with_facts(made["error-index.md"])
    made["services/index.md"] = services_index(services())
    made |= {f"services/{service.folder}.md": service_page(service) for service in services()}
    made |= {f"layers/{name.lower()}.md": layer_page(name, text) for name, text in layer_sections().items()}
    made |= {f"reference/{file}.md": reference_page(reference) for file, reference in REFERENCES.items()}
    return made


def services_index(declared: list[Service]) -> str:
    """The page with the table of services, which the README has too."""
    rows = "\n".join(table(declared)).strip()
    rows = re.sub(r"\(src/entrepot/services/(\w+)/docs\.md\)", r"(\1.md)", rows)
    return (
        "---\nhide: [toc]\n---\n\n# Services\n\nA service is a kind of storage. Its configuration class makes an "
        "operator. *Holds* is what the "
        "service stores. Its page has all of its operations and options; what it lacks is refused with "
        f"[`Unsupported`](../error-index.md#unsupported) before any I/O.\n\n{rows}\n\n"
        "[Services, case by case](../service-cases.md) has the results of the behaviour suite.\n\n"
        "A package of yours can add one: [Write your own service](../write-your-own-service.md).\n"
    )


def service_page(service: Service) -> str:
    """The page beside the code of a service, with the table of its capability."""
    source = f"src/entrepot/services/{service.folder}/docs.md"
    text = _linked((PROJECT / source).read_text(), source)
    return f"{text}\n{capability_section(service)}\n{tested_section(service)}"


def tested_section(service: Service) -> str:
    """What a service is tested on: the servers that the behaviour suite runs it on."""
    results = "[Services, case by case](../service-cases.md) has the results."
    servers = sorted({target.server for target in service.targets if target.server})
    names = ", ".join(f"`{server}`" for server in servers)
    where = f"on these servers of `entrepot.testing`: {names}" if servers else "on it"
    return f"## What it is tested on\n\nThe behaviour suite runs {where}. {results}\n"


def capability_section(service: Service) -> str:
    """A table of the operations and options of a service, from the capability of its operators."""
    from entrepot import Operator

    capabilities = [Operator(target.sample).info.capability for target in service.targets]
    true = {flag for flag in FLAGS if any(getattr(capability, flag) is True for capability in capabilities)}
    rows = [f"| `{name}` | {'yes' if name in true else '-'} | {_options(name, true)} |" for name in OPERATIONS]
    head = (
        f"## Capability\n\nThe flags of `op.info.capability`, with `op` from `{made_by(service.config)}`. Some options "
        "depend on the configuration, so one of yours may have fewer.\n\n| Operation | | Options |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def layer_sections() -> dict[str, str]:
    """The section of each layer on the page of layers, by the name of its class."""
    parts = (PROJECT / LAYERS_PAGE).read_text().split("\n## ")[1:]
    sections = {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}
    return {name: text for name, text in sections.items() if name in layers.__all__}


def layer_page(name: str, section: str) -> str:
    """The page of a layer: what it is for, what it wraps, and its class."""
    text = _linked(section, LAYERS_PAGE, f"layers/{name.lower()}.md")
    return "\n\n".join([f"# {name}", text, "## What it wraps", _wraps(name), "## Class", _api("entrepot.layers", name)])


def reference_page(reference: Reference) -> str:
    """A page of the API reference. The site generator fills in signatures and docstrings."""
    names = public_names(reference)
    summary = "" if reference.names else (ast.get_docstring(_source_of(reference.module)) or "").partition("\n\n")[0]
    return "\n\n".join([f"# {reference.title}", summary, *(_api(reference.module, name) for name in names), ""])


def public_names(reference: Reference) -> list[str]:
    """The names on a page of the reference."""
    if reference.names:
        return list(reference.names)
    return [name for name in _declared(reference.module) if not name.startswith("__") and name != "oio"]


def _declared(module: str) -> list[str]:
    """The `__all__` of a module, which is not imported: those of integrations need their libraries."""
    for node in _source_of(module).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise LookupError(module)


def _source_of(module: str) -> ast.Module:
    path = PROJECT.joinpath("src", *module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text())


def with_facts(text: str) -> str:
    """The index of errors with the facts of each class under its heading."""
    return re.sub(r"^## (\w+)$", lambda match: f"{match[0]}\n\n{_facts(match[1])}", text, flags=re.MULTILINE)


def _facts(name: str) -> str:
    error: type[errors.Error] = getattr(errors, name)
    bases = [base.__name__ for base in error.__mro__[1:] if base.__module__ in {"builtins", "io"}]
    temporary = "temporary" if error.temporary_by_default else "permanent unless it says otherwise"
    summary = (inspect.getdoc(error) or "").partition("\n")[0]
    return f"*{summary}* Also a `{bases[0]}`; {temporary}; [class](reference/errors.md#entrepot.errors.{name})."


def _sources() -> Iterator[Path]:
    yield from sorted((PROJECT / "docs").rglob("*.md"))
    yield from (PROJECT / name for name in OUTSIDE)


def _relative(file: Path) -> str:
    return file.relative_to(PROJECT).as_posix()


def _on_site(source: str, anchor: str = "") -> str:
    """The page of the site for a file of the project.

    Raises:
        LookupError: the site has no such page.
    """
    service = re.fullmatch(r"src/entrepot/services/(\w+)/docs\.md", source)
    if service:
        return f"services/{service[1]}.md"
    if source in OUTSIDE:
        return OUTSIDE[source]
    if source in {"docs/README.md", "README.md"}:
        return "services/index.md" if anchor == "services" else "index.md"
    if source == LAYERS_PAGE and anchor in {name.lower() for name in layers.__all__}:
        return f"layers/{anchor}.md"
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    raise LookupError(source)


_FENCE: Final = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]+`")
_LINK: Final = re.compile(r"\[([^\]\[]*)\]\((?!https?:|mailto:)([^)\s]+)\)")


def _linked(text: str, source: str, page: str | None = None) -> str:
    """A text whose links lead to pages of the site.

    Code is left alone, and a link to a file that is not a page loses its target.
    """
    page = page or _on_site(source)

    def link(match: re.Match[str]) -> str:
        path, _, anchor = match[2].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source
        try:
            other = _on_site(target, anchor)
        except LookupError:
            return match[1]
        if other.startswith("layers/") or other == "services/index.md":
            anchor = ""  # it was the heading of what has a page of its own here
        where = "" if other == page else posixpath.relpath(other, posixpath.dirname(page) or ".")
        return f"[{match[1]}]({where or ('' if anchor else posixpath.basename(page))}{'#' if anchor else ''}{anchor})"

    parts = _FENCE.split(text)
    linked = "".join(part if part.startswith("```") else _plain_bars(_LINK.sub(link, part)) for part in parts)
    return _plain_fences(_PAIR.sub(_tabs, linked))


_PAIR: Final = re.compile(
    r"^```python theirs:\S+\n# ([^\n]+)\n(.*?)^```\n\n```python ours\n# ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def _tabs(pair: re.Match[str]) -> str:
    """Two blocks that do the same in two libraries, as two tabs with the names of the libraries."""
    tabs = [(pair[1], pair[2]), (pair[3], pair[4])]
    return "\n".join(f'=== "{name}"\n\n' + indent(f"```python\n{code}```\n", " " * 4) for name, code in tabs)


def _plain_fences(text: str) -> str:
    """A text whose blocks of code lack the words for our tests after the language, which Markdown would not take."""
    return re.sub(r"^( *```\w+) [^\n]*", r"\1", text, flags=re.MULTILINE)


def _plain_bars(text: str) -> str:
    r"""A text whose tables have `a | b` in code for `a \| b`: Python-Markdown takes a bar in code as it is."""
    return re.sub(
        r"^\|.*", lambda row: _CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0]), text, flags=re.MULTILINE
    )


def _options(operation: str, true: set[str]) -> str:
    prefix = f"{operation}_with_"
    return ", ".join(f"`{flag.removeprefix(prefix)}`" for flag in FLAGS if flag in true and flag.startswith(prefix))


def _wraps(name: str) -> str:
    """What a layer changes, found in the accessors of its module."""
    module = import_module(getattr(layers, name).__module__)
    wrappers = list(_wrappers(module))
    if any(issubclass(wrapper, AroundAccessor) for wrapper in wrappers):
        return (
            "The calls of operations, and of the readers, writers, listers, deleters and copiers that they return, as "
            "far as they concern the layer. Other calls go straight to the accessor inside."
        )
    changed = [f"`{one}`" for one in OPERATIONS if any(_overrides(wrapper, one) for wrapper in wrappers)]
    return f"These operations: {', '.join(changed)}. Others go straight to the accessor inside."


def _wrappers(module: ModuleType) -> Iterator[type[LayeredAccessor]]:
    for _, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, LayeredAccessor) and value.__module__.startswith(module.__name__):
            yield value


def _overrides(wrapper: type[LayeredAccessor], operation: str) -> bool:
    return any(
        getattr(wrapper, name) is not getattr(LayeredAccessor, name)
        for name in (operation, WHOLE.get(operation, operation))
    )


def _api(module: str, name: str) -> str:
    return f"::: {module}.{name}"


def write() -> None:
    """Writes all pages, and copies the pictures."""
    shutil.rmtree(TARGET, ignore_errors=True)
    for page, text in pages().items():
        file = TARGET / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for file in sorted((PROJECT / "docs").rglob("*")):
        if file.suffix in {".svg", ".png", ".css", ".js", ".json"}:
            copy = TARGET / file.relative_to(PROJECT / "docs")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


if __name__ == "__main__":
    write()
