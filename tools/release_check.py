"""Builds the wheel and the sdist into dist/, and tries each as a new user would.

    python tools/release_check.py
    python tools/release_check.py --tag v0.1.0

`twine check` reads their metadata. Each is installed into an empty environment, with the extra `cli` and nothing
else. There the command says its version, and every block of the README runs with warnings as errors, in an empty
folder. With `--tag`, the tag must be the version, and the changes must have a section for it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

from tests.docs.markdown import blocks  # noqa: E402

DIST: Final = PROJECT / "dist"
LANGUAGES: Final = {"python": ["python", "-W", "error", "-c"], "sh": ["sh", "-euc"]}
"""What runs a block of each language; the programs are those of the environment."""


def unreleasable(tag: str, version: str, changes: str) -> str | None:
    """Why this version cannot be published under this tag; None if it can."""
    if tag != f"v{version}":
        return f"the tag {tag} is not v{version}, the version in src/entrepot/__init__.py"
    if not re.search(rf"^## {re.escape(version)}\b", changes, re.MULTILINE):
        return f'CHANGELOG.md has no section "## {version}" (docs/releasing.md)'
    return None


def build() -> list[Path]:
    """The sdist, and the wheel that is built from it."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([sys.executable, "-m", "build", "--outdir", str(DIST), str(PROJECT)])
    built = sorted(DIST.iterdir())
    run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built)])
    return built


def try_out(distribution: Path, version: str) -> int:
    """Installs a file into an empty environment and uses it there; the number of blocks that ran."""
    with tempfile.TemporaryDirectory(prefix="entrepot-release-") as folder:
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=True)
        programs = environment / "bin"
        run([str(programs / "python"), "-m", "pip", "install", "--quiet", f"{distribution}[cli]"])
        for command in (["python", "-m", "entrepot", "--version"], ["entrepot", "--version"]):
            said = run([str(programs / command[0]), *command[1:]], cwd=folder)
            if said != f"entrepot {version}\n":
                sys.exit(f"`{' '.join(command)}` of {distribution.name} printed {said!r}")
        return sum(run_blocks(programs, language, Path(folder)) for language in LANGUAGES)


def run_blocks(programs: Path, language: str, folder: Path) -> int:
    """Runs the README's blocks of one language, each in a folder of its own; their number."""
    found = blocks(PROJECT / "README.md", language)
    for block in found:
        empty = Path(tempfile.mkdtemp(dir=folder))
        run([*LANGUAGES[language], block.text], cwd=empty, path=programs)
    return len(found)


def run(command: list[str], cwd: Path | str = PROJECT, path: Path | None = None) -> str:
    """What a program printed. The programs of `path` are found before those of the system."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if path is not None:
        inherited["PATH"] = f"{path}{os.pathsep}{inherited['PATH']}"
    done = subprocess.run(command, cwd=cwd, env=inherited, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"This failed with status {done.returncode}: {' '.join(command)}\n{done.stdout}")
    return done.stdout


def version_here() -> str:
    """The version in the sources, which are not imported."""
    text = (PROJECT / "src" / "entrepot" / "__init__.py").read_text()
    [version] = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return str(version)


def main() -> None:
    """Builds, tries, and says what was done."""
    parser = argparse.ArgumentParser(description="Builds the wheel and the sdist, and tries each.")
    parser.add_argument("--tag", help="the tag that is to be published, for example v0.1.0")
    tag = parser.parse_args().tag
    version = version_here()
    reason = unreleasable(tag, version, (PROJECT / "CHANGELOG.md").read_text()) if tag else None
    if reason:
        sys.exit(reason)
    for distribution in build():
        ran = try_out(distribution, version)
        size = distribution.stat().st_size
        sys.stdout.write(f"{distribution.name}: {size:,} bytes, installs, {ran} blocks of the README run\n")


if __name__ == "__main__":
    main()
