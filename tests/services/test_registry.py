"""Schemes and where they lead."""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import S3, Fs, Http, Memory
from entrepot.services.registry import ENTRY_POINT_GROUP, schemes, service_class


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("fs", Fs), ("file", Fs), ("memory", Memory), ("http", Http), ("https", Http), ("s3", S3), ("S3", S3)],
)
def test_a_scheme_leads_to_its_service(scheme: str, expected: type) -> None:
    assert service_class(scheme) is expected


@pytest.mark.parametrize("make", [Operator.from_config, Operator.from_uri], ids=["from_config", "from_uri"])
def test_an_unknown_scheme_lists_the_known_ones(make: object) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        make("ftp4")  # type: ignore[operator]
    for scheme in ("file", "fs", "http", "https", "memory", "s3"):
        assert scheme in schemes()
        assert scheme in caught.value.message
    assert caught.value.operation == "configure"


@pytest.mark.parametrize(("uri", "nearest"), [("s4://b", "s3"), ("memroy://", "memory"), ("gdrive://folder", None)])
def test_an_unknown_scheme_names_the_nearest_and_how_others_are_added(uri: str, nearest: str | None) -> None:
    with pytest.raises(ConfigInvalid, match="a package adds one by an entry point") as caught:
        Operator.from_uri(uri)
    assert ("did you mean" in caught.value.message) == (nearest is not None)
    assert nearest is None or f"did you mean {nearest!r}" in caught.value.message


@pytest.mark.parametrize("scheme", [5, None, b"s3", ["s3"]])
def test_what_is_no_text_is_no_scheme(scheme: Any) -> None:
    with pytest.raises(ConfigInvalid, match=type(scheme).__name__) as caught:
        service_class(scheme)
    assert caught.value.operation == "configure"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(value: str) -> None:
        entries = [EntryPoint("Duck4", value, ENTRY_POINT_GROUP)]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)

    return install


def test_an_entry_point_may_name_a_class_inside_another_thing(install: Any) -> None:
    install("entrepot:services.Memory [extra]")
    assert service_class("duck4") is Memory
    assert "duck4" in schemes()


@pytest.mark.parametrize("value", ["entrepot:Operator", "entrepot.services.memory", "builtins:str", "json:dumps"])
def test_an_entry_point_must_be_a_configuration(install: Any, value: str) -> None:
    install(value)
    with pytest.raises(ConfigInvalid, match="is not a subclass of ServiceConfig") as caught:
        service_class("duck4")
    assert value in caught.value.message
    assert caught.value.operation == "configure"


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("entrepot_nowhere:Duck", ModuleNotFoundError),
        ("json:Duck", AttributeError),
        ("no entry point", AttributeError),
        ("broken_duck:Duck", ZeroDivisionError),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_says_why(
    install: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, cause: type[Exception]
) -> None:
    (tmp_path / "broken_duck.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    install(value)
    with pytest.raises(ConfigInvalid, match="cannot be loaded") as caught:
        service_class("DUCK4")
    assert value in caught.value.message
    assert isinstance(caught.value.__cause__, cause)
