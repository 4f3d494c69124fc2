"""What the world sees of this project: its metadata, its README on an index, its workflows, its oldest dependencies."""

import re
import tomllib

import pytest

from tests.docs.markdown import PROJECT, blocks
from tools.readme_links import with_absolute_links
from tools.release_check import LANGUAGES, unreleasable, version_here

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
REPOSITORY = PYPROJECT["urls"]["Repository"]
README = (PROJECT / "README.md").read_text()
CHANGES = (PROJECT / "CHANGELOG.md").read_text()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)")


def test_links_to_files_become_absolute_and_others_stay() -> None:
    text = "[a](docs/a.md#part) ![b](b.svg) [c](https://host/c) [d](#d) [e](mailto:e@host)"
    assert with_absolute_links(text, "https://r") == (
        "[a](https://r/blob/main/docs/a.md#part) ![b](https://r/raw/main/b.svg)"
        " [c](https://host/c) [d](https://r#d) [e](mailto:e@host)"
    )


def test_every_link_of_the_readme_works_outside_of_the_repository() -> None:
    targets = LINK.findall(with_absolute_links(README, REPOSITORY))
    assert [target for target in targets if not target.startswith("https://")] == []
    ours = [target.partition("#")[0] for target in targets if target.startswith(REPOSITORY)]
    files = [target.removeprefix(f"{REPOSITORY}/").partition("/main/")[2] for target in ours if target != REPOSITORY]
    assert len(files) > 10
    assert [file for file in files if not (PROJECT / file).is_file()] == []


def test_the_address_of_the_repository_is_written_in_one_place() -> None:
    assert all(url.startswith(REPOSITORY) for url in PYPROJECT["urls"].values())
    texts = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("src/**/*.py")]
    assert [text.name for text in texts if REPOSITORY in text.read_text()] == []


def test_what_is_said_of_a_peer_has_a_page() -> None:
    """Each row of the comparison says "yes" or more of another library with a link, and of us with a page of ours."""
    section = README.partition("## Beside other")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line[:1] == "|"]
    cells = [cell.strip() for row in rows[2:-1] for cell in row[2:]]
    plain = {cell for cell in cells if "](" not in cell}
    assert plain == {"no", "no (a)", "shipped ones only (a)", "by wrapping a file system", "one each"}


def test_the_readme_shows_the_library_and_the_command() -> None:
    assert all(blocks(PROJECT / "README.md", language) for language in LANGUAGES)


@pytest.mark.parametrize("workflow", ["ci.yml", "publish.yml"])
def test_workflows_run_commands_that_exist_and_actions_that_cannot_change(workflow: str) -> None:
    text = (PROJECT / ".github" / "workflows" / workflow).read_text()
    makefile = (PROJECT / "Makefile").read_text()
    commands = re.findall(r"\bmake ([\w-]+)", text)
    assert commands
    assert [command for command in commands if not re.search(rf"^{command}:", makefile, re.MULTILINE)] == []
    actions = re.findall(r"uses: (.*)", text)
    assert [action for action in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)] == []


def test_every_python_that_is_promised_is_tested() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["classifiers"]))
    tested = re.search(r"python: \[(.*)\]", (PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    assert promised
    assert tested is not None
    assert set(promised) <= set(re.findall(r'"([\d.]+)"', tested[1]))


def test_the_oldest_dependencies_are_those_of_the_bounds() -> None:
    lines = (PROJECT / "tests" / "oldest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if re.match(r"\w", line))
    extras = PYPROJECT["optional-dependencies"]
    bounds = [*PYPROJECT["dependencies"], *extras["cli"], *extras["metrics"], *extras["tracing"], *extras["fsspec"]]
    for bound in bounds:
        name, oldest = re.match(r"([\w-]+)>=([\d.]+)", bound).groups()
        assert f"{pins[name]}.".startswith(f"{oldest}."), f"{bound}: make tests/oldest.txt again (docs/dependencies.md)"
    direct = {re.split(r"[\[>;]", bound)[0] for bound in extras["test"]} - {"entrepot"}
    assert direct - set(pins) == set()


def test_the_changes_begin_with_what_is_not_released() -> None:
    assert re.findall(r"^## (.*)", CHANGES, re.MULTILINE)[0] == "Unreleased"


@pytest.mark.parametrize(
    ("tag", "version", "changes", "reason"),
    [
        ("v1.2.0", "1.2.0", "## Unreleased\n\n## 1.2.0 (2026-12-01)\n", None),
        ("v1.2.1", "1.2.0", "## 1.2.1\n", "the tag v1.2.1 is not v1.2.0"),
        ("1.2.0", "1.2.0", "## 1.2.0\n", "the tag 1.2.0 is not v1.2.0"),
        ("v1.2.0", "1.2.0", "## Unreleased\n", 'no section "## 1.2.0"'),
        ("v1.2.0", "1.2.0", "## 1.2.01\n", 'no section "## 1.2.0"'),
    ],
)
def test_a_tag_needs_its_version_and_its_changes(tag: str, version: str, changes: str, reason: str | None) -> None:
    said = unreleasable(tag, version, changes)
    assert said is None if reason is None else reason in said


def test_the_check_reads_the_version_without_an_import() -> None:
    import entrepot

    assert version_here() == entrepot.__version__
