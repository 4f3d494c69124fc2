"""The pages of the documentation site: all public names are there, and what is generated agrees with the code."""

import posixpath
import re
from importlib import import_module

import pytest

from entrepot import Capability, Operator, errors, layers
from entrepot.services import Memory
from tests.docs.markdown import PROJECT, SOURCES, blocks, table
from tools.generate_services import services
from tools.site_pages import REFERENCES, capability_section, layer_sections, pages, public_names
from tools.site_tables import labelled

PAGES = pages()
PUBLIC = ["entrepot", "entrepot.layers", "entrepot.services", "entrepot.errors", "entrepot.types", "entrepot.raw"]


def _navigation() -> list[str]:
    text = (PROJECT / "mkdocs.yml").read_text()
    return re.findall(r"^      - (?:[\w ]+: )?(\S+\.md)$", text, re.MULTILINE)


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(_navigation()) == sorted(PAGES)


def _broken(page: str) -> list[str]:
    without_code = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\[[^\]\[]*\]\((?!https?:|#|mailto:)([^)\s#]+)", without_code)
    places = {target: posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) for target in targets}
    return [
        target
        for target, at in places.items()
        if at not in PAGES and (PROJECT / "docs" / at).suffix[1:] not in {"svg", "json"}
    ]


def test_links_lead_to_pages_of_the_site() -> None:
    assert {page: broken for page in PAGES if (broken := _broken(page))} == {}


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    documented = {name for reference in REFERENCES.values() for name in public_names(reference)}
    public = {name for name in import_module(module).__all__ if not name.startswith("__")}
    assert public - documented - {"oio"} == set()


def test_the_index_of_errors_has_a_section_for_each_class() -> None:
    page = (PROJECT / "docs" / "error-index.md").read_text()
    assert sorted(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == sorted({*errors.__all__} - {"Error"})
    assert "Also a `FileNotFoundError`; permanent" in PAGES["error-index.md"]
    assert "Also a `TimeoutError`; temporary" in PAGES["error-index.md"]


def test_the_table_of_the_design_notes_has_each_section_once() -> None:
    index, *sections = (PROJECT / "docs" / "design-notes.md").read_text().split("\n## ")
    listed = re.findall(r"\[([^\]]+)\]\(#", index)
    assert sorted(listed) == sorted(section.partition("\n")[0] for section in sections)


def test_the_words_of_messages_in_the_index_of_errors_are_those_of_the_code() -> None:
    page = (PROJECT / "docs" / "error-index.md").read_text()
    quoted = {part.strip() for words in re.findall(r'"([a-z][^"]+)"', page) for part in words.split("...")}
    code = "\n".join(file.read_text() for file in SOURCES.rglob("*.py"))
    assert len(quoted) > 15
    assert [words for words in sorted(quoted) if words not in code] == []


def test_the_table_of_a_service_says_what_its_capability_says() -> None:
    [memory] = [service for service in services() if service.config is Memory]
    rows = {row[0].strip("`"): row[1:] for row in table(capability_section(memory), "Operation", "", "Options")}
    capability = Operator(Memory(versioned=True)).info.capability
    assert {name: has == "yes" for name, (has, _) in rows.items()} == {name: getattr(capability, name) for name in rows}
    options = [
        flag for flag in Capability.__annotations__ if flag.startswith("read_with_") and getattr(capability, flag)
    ]
    assert re.findall(r"`(\w+)`", rows["read"][1]) == [flag.removeprefix("read_with_") for flag in options]


def test_the_page_of_a_service_names_the_servers_that_it_runs_on() -> None:
    assert "`seaweedfs`" in PAGES["services/s3.md"].partition("## What it is tested on")[2]
    assert "The behaviour suite runs on it." in PAGES["services/memory.md"]


def test_every_layer_that_users_add_has_a_page() -> None:
    modules = {name: getattr(layers, name).__module__ for name in layers.__all__ if name.endswith("Layer")}
    assert {name for name, module in modules.items() if ".always." not in module} == set(layer_sections())


@pytest.mark.parametrize("name", layer_sections())
def test_the_page_of_a_layer_has_its_section_and_what_it_wraps(name: str) -> None:
    page = PAGES[f"layers/{name.lower()}.md"]
    assert page.startswith(f"# {name}\n") and f"::: entrepot.layers.{name}\n" in f"{page}\n"
    assert re.search(r"## What it wraps\n\n\w", page)


def test_marks_for_our_tests_are_not_on_the_site() -> None:
    assert blocks(PROJECT / "docs" / "how-to" / "torch.md")[0].words == ("s3", "needs:torch")
    assert [page for page, text in PAGES.items() if re.search(r"^ *```python \S", text, re.MULTILINE)] == []


def test_blocks_of_two_libraries_are_tabs() -> None:
    labels = re.findall(r'^=== "(.+)"\n\n    ```python\n', PAGES["how-to/migrate.md"], re.MULTILINE)
    assert labels[:2] == ["boto3", "entrepot"]
    pairs = [block for block in blocks(PROJECT / "docs" / "how-to" / "migrate.md") if block.words == ("ours",)]
    assert [label.endswith("entrepot") for label in labels] == [False, True] * len(pairs)


def test_nothing_is_loaded_from_another_host() -> None:
    text = (PROJECT / "mkdocs.yml").read_text()
    assert "font: false" in text
    assert "polyfills: [iframe-worker.js]" in text  # otherwise the offline plugin names one of another host
    assert "http" not in text.partition("extra_css")[2].partition("nav:")[0]


def test_rows_of_long_texts_and_keys_of_a_configuration_are_labelled_for_phones() -> None:
    head = "".join(f"<th>{title}</th>" for title in ("Key", "Type", "Default", "Meaning"))
    keys = (
        f"<table><thead><tr>{head}</tr></thead><tbody><tr><td>a</td><td></td><td>b</td><td>c</td></tr></tbody></table>"
    )
    assert '<table data-form="keys">' in labelled(keys) and '<td data-label="Default">b</td>' in labelled(keys)
    figures = keys.replace("Key", "<code>Loop</code>")
    assert labelled(figures) == figures
    rows = labelled(figures.replace("<td>c", f'<td style="text-align: left;">{"long " * 9}'))
    assert '<table data-form="rows">' in rows and '<td data-label="Loop">a</td>' in rows
    assert '<td style="text-align: left;" data-label="Meaning">long' in rows


def test_the_home_page_names_every_service() -> None:
    named = {*re.findall(r"\]\(services/(\w+)\.md\)", PAGES["index.md"])} - {"index"}
    assert named == {service.folder for service in services()}
