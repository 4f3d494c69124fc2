"""Schemes and where they lead."""

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.registry import schemes, service_class
from entrepot.services import S3, Fs, Http, Memory


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
