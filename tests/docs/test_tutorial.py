"""The tutorial's service is the toy package that the tests install: the same text in both places."""

from tests.docs.markdown import PROJECT, blocks

PAGE = PROJECT / "docs" / "write-your-own-service.md"
PACKAGE = PROJECT / "tests" / "packages" / "entrepot-pond"
MODULE = (PACKAGE / "src" / "entrepot_pond" / "__init__.py").read_text()


def test_its_service_is_the_module_of_the_toy_package() -> None:
    parts = [block.text for block in blocks(PAGE) if "pond" in block.words]
    assert "\n\n".join(parts) == MODULE


def test_its_project_file_is_that_of_the_toy_package() -> None:
    assert blocks(PAGE, "toml")[0].text == (PACKAGE / "pyproject.toml").read_text()


def test_its_service_is_about_a_hundred_lines() -> None:
    assert len([line for line in MODULE.splitlines() if line.strip()]) <= 100
