"""Schemes: those that come with entrepot, and those of installed packages."""

import pickle
from importlib.metadata import EntryPoint

import pytest

from entrepot import Scheme
from entrepot.services.registry import SCHEMES, service_class
from entrepot.types.scheme import ENTRY_POINT_GROUP


@pytest.fixture
def goose(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint("Goose7", "entrepot.services:Memory", ENTRY_POINT_GROUP)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    monkeypatch.setattr(Scheme, "_value2member_map_", dict(Scheme._value2member_map_))


def test_the_members_are_the_schemes_of_the_built_in_services() -> None:
    assert {scheme.value for scheme in Scheme} == {service_class(scheme).SCHEME for scheme in SCHEMES}
    assert Scheme.S3 == "s3"
    assert Scheme("S3") is Scheme.S3


def test_the_scheme_of_an_installed_package_is_one(goose: None) -> None:
    scheme = Scheme("GOOSE7")
    assert isinstance(scheme, Scheme)
    assert (scheme, scheme.value, f"{scheme}", repr(scheme)) == (
        "goose7",
        "goose7",
        "goose7",
        "<Scheme.GOOSE7: 'goose7'>",
    )
    assert Scheme("goose7") is scheme
    assert service_class(scheme) is service_class("memory")
    assert pickle.loads(pickle.dumps(scheme)) is scheme
    assert scheme not in list(Scheme)


@pytest.mark.parametrize("value", ["goose8", 5, None, b"s3"])
def test_what_no_service_has_is_not_a_scheme(value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Scheme"):
        Scheme(value)
