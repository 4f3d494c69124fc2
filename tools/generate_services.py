"""Writes what follows from the declarations of the services: names, schemes, protocols of fsspec, tables of the docs.

    python tools/generate_services.py

A service declares itself by its configuration class (`config.py`) and by the targets of the behaviour suite
(`behavior.py`). The navigation of the site (`mkdocs.yml`) follows too. Run this after a change of one; a test compares
the files.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

PROJECT: Final = Path(__file__).parents[1]
SOURCES: Final = PROJECT / "src" / "entrepot"
# The tree that this file is part of, whatever is installed
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "tools")]

import case_page  # noqa: E402

from entrepot.raw import ServiceConfig  # noqa: E402

if TYPE_CHECKING:
    from entrepot.raw.suite import SuiteTarget

START: Final = "Written by `python tools/generate_services.py`"
END: Final = "until here"
UPATH_GROUP: Final = '"universal_pathlib.implementations"'
ABILITIES: Final = {
    "write": "write",
    "append": "write_with_append",
    "list": "list",
    "delete": "delete",
    "copy": "copy",
    "rename": "rename",
    "if not exists": "write_with_if_not_exists",
    "versions": "read_with_version",
    "user metadata": "write_with_user_metadata",
    "tags": "get_tags",
    "presign": "presign",
}
"""The flags of a capability that the README shows, by their titles. The page of a service has all."""

PACKAGE: Final = '''"""The configuration class of each built-in service, imported on first use.

{start}; edits are lost.
"""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

if TYPE_CHECKING:
{imports}

__all__ = [
{names}
]

__getattr__ = lazy_names(
    __name__,
    {{
{folders}
    }},
)
__dir__ = lazy_dir(__name__)
'''


class Service(NamedTuple):
    """One service and its declarations.

    Arguments:
        folder: the name of its folder.
        config: its configuration class.
        targets: where the behaviour suite runs on it.
    """

    folder: str
    config: type[ServiceConfig]
    targets: tuple[SuiteTarget, ...]


def services() -> list[Service]:
    """All services, by the names of their folders."""
    return [_service(file.parent.name) for file in sorted((SOURCES / "services").glob("*/config.py"))]


def generated() -> dict[Path, str]:
    """The content of each file that follows from the declarations."""
    declared = services()
    scheme = SOURCES / "types" / "scheme.py"
    registry = SOURCES / "services" / "registry.py"
    readme = PROJECT / "README.md"
    project = PROJECT / "pyproject.toml"
    site = PROJECT / "mkdocs.yml"
    return {
        SOURCES / "services" / "__init__.py": package(declared),
        scheme: with_block(scheme, "    # ", "", members(declared)),
        registry: with_block(registry, "    # ", "", classes(declared)),
        readme: with_block(readme, "<!-- ", " -->", table(declared)),
        project: with_block(project, "# ", "", protocols(declared)),
        site: with_block(site, "      # ", "", [navigation(service.folder) for service in declared]),
        PROJECT / "docs" / "service-cases.md": cases(declared),
    }


def navigation(folder: str) -> str:
    """The line of a service in the navigation, under its name: the title of its page is long."""
    return f"      - {folder}: services/{folder}.md"


def package(declared: list[Service]) -> str:
    """The module `entrepot.services`."""
    names = {service.config.__name__: service for service in declared}
    return PACKAGE.format(
        start=START,
        imports="\n".join(f"    from .{service.folder} import {name}" for name, service in names.items()),
        names="\n".join(f'    "{name}",' for name in sorted(names, key=_as_ruff_sorts)),
        folders="\n".join(f'        "{name}": "{service.folder}",' for name, service in names.items()),
    )


def members(declared: list[Service]) -> list[str]:
    """The members of `Scheme`."""
    return [f'    {service.config.SCHEME.upper()} = "{service.config.SCHEME}"' for service in declared]


def classes(declared: list[Service]) -> list[str]:
    """The class of each scheme and alias, in the registry."""
    schemes = (
        (scheme, service.config) for service in declared for scheme in (service.config.SCHEME, *service.config.ALIASES)
    )
    return sorted(f'    "{scheme}": "{config.__name__}",' for scheme, config in schemes)


def protocols(declared: list[Service]) -> list[str]:
    """The entry points by which fsspec and universal_pathlib find the classes of each scheme and alias."""
    classes = {
        f"entrepot+{scheme}": service.config.__name__
        for service in declared
        for scheme in (service.config.SCHEME, *service.config.ALIASES)
    }
    fsspec = [f'"{name}" = "entrepot.integrations.fsspec:{classes[name]}FileSystem"' for name in sorted(classes)]
    upath = [f'"{name}" = "entrepot.integrations.upath:EntrepotPath"' for name in sorted(classes)]
    return ['[project.entry-points."fsspec.specs"]', *fsspec, "", f"[project.entry-points.{UPATH_GROUP}]", *upath]


def table(declared: list[Service]) -> list[str]:
    """The table of services in the README."""
    head = ["Service", "Made by", "Holds", *ABILITIES]
    rows = [row(service, f"src/entrepot/services/{service.folder}/docs.md") for service in declared]
    return ["", _line(head), "|---|---|---" + "|:-:" * len(ABILITIES) + "|", *rows, ""]


def row(service: Service, page: str) -> str:
    """The row of a service in that table."""
    config = service.config
    holds = (config.__doc__ or "").partition("\n")[0]
    can = ["yes" if flag in abilities(service) else "" for flag in ABILITIES.values()]
    return _line([f"[{config.SCHEME}]({page})", f"`{made_by(config)}`", holds, *can])


def abilities(service: Service) -> set[str]:
    """The flags that are True for a target."""
    from entrepot import Operator

    capabilities = [Operator(target.sample).info.capability for target in service.targets]
    return {flag for flag in ABILITIES.values() if any(getattr(capability, flag) for capability in capabilities)}


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cases(declared: list[Service]) -> str:
    """The page with the results of the behaviour suite."""
    return case_page.page({service.config.SCHEME: service.targets for service in declared})


def made_by(config: type[ServiceConfig]) -> str:
    """The call that makes a configuration: `Fs(root, ...)`. It names the required settings, or the main one."""
    settings = [field for field in fields(config) if field.init]  # type: ignore[arg-type]
    names = [field.name for field in settings if field.default is MISSING and field.default_factory is MISSING]
    main = [field.name for field in settings if not field.kw_only][:1]
    names = names or [name for name in main if name != "root"]
    more = ["..."] if names and len(settings) > len(names) else []
    return f"{config.__name__}({', '.join(names + more)})"


def with_block(file: Path, before: str, after: str, lines: list[str]) -> str:
    """The text of a file with other lines between its two marks."""
    head, start, rest = file.read_text().partition(f"{before}{START}{after}\n")
    _, stop, tail = rest.partition(f"{before}{END}{after}\n")
    if not (start and stop):
        raise SystemExit(f"{file} has no block that starts with {before}{START!r}{after} and ends with {END!r}")
    return "".join([head, start, *(f"{line}\n" for line in lines), stop, tail])


def _service(folder: str) -> Service:
    package = import_module(f"entrepot.services.{folder}")
    return Service(folder, _config_of(package), import_module(f"{package.__name__}.behavior").TARGETS)


def _config_of(package: ModuleType) -> type[ServiceConfig]:
    [name] = package.__all__
    config: type[ServiceConfig] = getattr(package, name)
    return config


def _as_ruff_sorts(name: str) -> tuple[bool, str]:
    """Constants, such as `S3`, before classes."""
    return not name.isupper(), name


def main() -> None:
    """Writes the files that differ."""
    for file, text in generated().items():
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            sys.stdout.write(f"wrote {file.relative_to(PROJECT)}\n")


if __name__ == "__main__":
    main()
