"""Makes the folder of a new service, which passes the behaviour suite over a table in memory.

    make new-service NAME=duck

The templates in `tools/service_templates/` become the service in `src/entrepot/services/duck/` and its tests in
`tests/services/duck/`. Then `tools/generate_services.py` adds the service to the registry, to `Scheme`, to the
protocols of fsspec and to the tables of the docs. What is left to do by hand is printed.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Final

PROJECT: Final = Path(__file__).parents[1]
TEMPLATES: Final = PROJECT / "tools" / "service_templates"
SERVICES: Final = PROJECT / "src" / "entrepot" / "services"

NEXT: Final = """
The service works over a table in memory. Next:
  1. {service}/core.py: replace the table by the calls of your storage
  2. {service}/config.py: the settings that these need, each with a row in docs.md
  3. {service}/accessor.py: the capability, and the operations that the storage has
  4. {service}/behavior.py: the server that the behaviour suite runs on, and what it lacks
  5. python tools/generate_services.py, after each change of a declaration
  6. docs/README.md: its name in the table "Storages", in the row of its kind
  7. CHANGELOG.md: a line

Run its tests:  make test ARGS="--no-cov -k {name} tests/behavior/test_suite.py tests/services/{name}"
"""


class NameRefused(ValueError):
    """A service cannot have the name."""


def check_name(name: str) -> None:
    """Raises `NameRefused` for a name that cannot be a scheme, a folder and a class, or that is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        raise NameRefused(f"{name!r} cannot be a scheme: use lower-case letters and digits, and start with a letter")
    if keyword.iskeyword(name) or keyword.iskeyword(name.capitalize()):
        raise NameRefused(f"{name!r} cannot be a module or a class: it is a keyword of Python")
    if any((SERVICES / taken).exists() for taken in (name, f"{name}.py")):
        raise NameRefused(f"{name!r} is taken: src/entrepot/services/{name} exists")
    if f'"{name}":' in (SERVICES / "registry.py").read_text():
        raise NameRefused(f"{name!r} is taken: it is an alias of another service")
    if any(re.search(rf"\b{name.capitalize()}\b", template.read_text()) for template in _templates()):
        raise NameRefused(f"{name!r} is reserved: entrepot has a class {name.capitalize()} that services use")
    if any(f'"{name}"' in declared.read_text() for declared in SERVICES.glob("*/behavior.py")):
        raise NameRefused(f"{name!r} is taken: a target of the behaviour suite has the name")


def make(name: str) -> list[Path]:
    """Writes the files of a service and returns their paths.

    Raises:
        NameRefused: a service cannot have the name.
    """
    check_name(name)
    names = {"name": name, "Name": name.capitalize(), "NAME": name.upper()}
    files = {_target(template, name): Template(template.read_text()) for template in _templates()}
    for file, template in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(template.substitute(names))
    return list(files)


def _templates() -> list[Path]:
    return sorted(TEMPLATES.glob("*.tmpl"))


def _target(template: Path, name: str) -> Path:
    """The file that a template becomes."""
    if template.stem == "test.py":
        return PROJECT / "tests" / "services" / name / f"test_{name}.py"
    return SERVICES / name / template.stem


def main() -> None:
    """Makes the service that the only argument names."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if not name:
        raise SystemExit("name the service: make new-service NAME=duck")
    try:
        files = make(name)
    except NameRefused as error:
        raise SystemExit(f"{error}") from None
    written = [f"wrote {file.relative_to(PROJECT)}\n" for file in files]
    sys.stdout.write("".join(written))
    subprocess.run([sys.executable, PROJECT / "tools" / "generate_services.py"], check=True)
    sys.stdout.write(NEXT.format(name=name, service=f"src/entrepot/services/{name}"))


if __name__ == "__main__":
    main()
