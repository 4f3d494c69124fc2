"""Every Python block of the README and the documentation runs, or at least compiles."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from entrepot.testing import S3Server
from tests.docs.markdown import PROJECT, SOURCES, Block, blocks
from tests.strict import STRICT, warnings_of

PAGES = sorted(PROJECT.glob("docs/**/*.md"))
SERVICE_PAGES = sorted(SOURCES.glob("services/*/docs.md"))
TEXTS = [*sorted(PROJECT.glob("*.md")), *PAGES, *SERVICE_PAGES]
README_BLOCKS = blocks(PROJECT / "README.md")


def assert_runs_in_silence(command: list[str], folder: Path, **variables: str) -> str:
    """What it printed. Anything on stderr is a warning that was not expected."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50)
    assert (done.returncode, warnings_of(done.stderr)) == (0, "")
    return done.stdout


@pytest.mark.parametrize("block", README_BLOCKS, ids=str)
def test_an_example_of_the_readme_runs_as_printed(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(block.text)
    assert_runs_in_silence([*STRICT, str(script)], tmp_path)


def test_the_first_example_is_ten_lines_and_reads_what_it_wrote(tmp_path: Path) -> None:
    first = README_BLOCKS[0].text
    assert len([line for line in first.splitlines() if line.strip()]) <= 10
    assert assert_runs_in_silence([*STRICT, "-c", first], tmp_path) == "b'storage'\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT / "docs").as_posix())
def test_the_examples_of_a_page_run_one_after_the_other(page: Path, tmp_path: Path, seaweedfs_server: S3Server) -> None:
    variables = {"ENTREPOT_TEST_PAGES_S3": seaweedfs_server.endpoint, "TQDM_DISABLE": "1"}
    assert_runs_in_silence([*STRICT, "-m", "tests.docs.run_page", str(page)], tmp_path, **variables)


def test_what_another_library_does_is_compared(tmp_path: Path, seaweedfs_server: S3Server) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python theirs:json\nlength = 3\n```\n\n```python ours\nlength = 4\n```\n")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "ENTREPOT_TEST_PAGES_S3": seaweedfs_server.endpoint}
    command = [*STRICT, "-m", "tests.docs.run_page", str(page)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1 and "page.md:2 and" in done.stderr and "differ" in done.stderr


@pytest.mark.parametrize("page", SERVICE_PAGES, ids=lambda page: page.parent.name)
def test_the_examples_of_a_service_run_on_a_server_of_this_machine(page: Path, tmp_path: Path) -> None:
    assert "\n## Run it locally\n" in page.read_text()
    assert [block for block in blocks(page) if "compile-only" not in block.words], f"{page} shows no example that runs"
    assert_runs_in_silence([*STRICT, "-m", "tests.docs.run_page", str(page)], tmp_path)


def test_only_these_blocks_are_compiled_and_not_run() -> None:
    compiled = {
        str(block.page.relative_to(PROJECT))
        for page in TEXTS
        for block in blocks(page)
        if "compile-only" in block.words
    }
    elsewhere = {page for page in compiled if not page.startswith("src/entrepot/services/")}
    assert elsewhere == {
        "docs/how-to/local-servers.md",  # a server in a container
        "docs/presigning.md",  # urllib with a request for Amazon; the page Migrate runs the same on a server
        "docs/scale.md",  # a cluster of Dask
    }


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(PROJECT)} -> {target}"
        for page in TEXTS
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_no_page_has_both_sides_of_a_merge() -> None:
    marks = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    assert [page.name for page in TEXTS if marks.search(page.read_text())] == []


_NAMED_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.py|(?:\w+/)+[\w./-]*)`")
_ROOTS = {root.name for folder in (PROJECT, SOURCES) for root in folder.iterdir() if root.is_dir()} - {"docs"}


def _names_ours(name: str) -> bool:
    """Whether a name in a text means a file or folder of this project, and not a path in an example."""
    return "/duck/" not in name and (name.endswith(".py") or name.partition("/")[0] in _ROOTS)


def _exists(name: str) -> bool:
    """Whether the file exists below the project or the package; a bare file name may be in any room."""
    if any((folder / name).exists() for folder in (PROJECT, SOURCES)):
        return True
    return "/" not in name and any(SOURCES.rglob(name))


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_files_of_the_code_that_a_page_names_exist(page: Path) -> None:
    named = {name for name in _NAMED_FILE.findall(page.read_text()) if _names_ours(name)}
    assert [name for name in sorted(named) if not _exists(name)] == []


def test_contributing_names_files() -> None:
    assert len(set(_NAMED_FILE.findall((PROJECT / "CONTRIBUTING.md").read_text()))) > 10


def test_the_map_names_every_room() -> None:
    named = set(_NAMED_FILE.findall((PROJECT / "docs" / "architecture.md").read_text()))
    rooms = {f"{room.name}/" for room in SOURCES.iterdir() if room.is_dir() and room.name != "__pycache__"}
    assert rooms - named == set()
