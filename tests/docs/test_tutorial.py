"""The tutorial's service is the toy package that the tests install: the same text in both places."""

from tests.docs.markdown import PROJECT, blocks

PAGE = PROJECT / "docs" / "write-your-own-service.md"
PACKAGE = PROJECT / "tests" / "packages" / "entrepot-duck"


def test_its_service_is_the_module_of_the_toy_package() -> None:
    assert blocks(PAGE)[0].text == (PACKAGE / "src" / "entrepot_duck" / "__init__.py").read_text()


def test_its_project_file_is_that_of_the_toy_package() -> None:
    assert blocks(PAGE, "toml")[0].text == (PACKAGE / "pyproject.toml").read_text()


def test_its_service_is_under_sixty_lines() -> None:
    assert len(blocks(PAGE)[0].text.splitlines()) < 60
