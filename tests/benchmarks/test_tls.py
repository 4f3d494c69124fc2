"""Every contender verifies the certificate of the server: none is made faster by a check that is switched off."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import contenders
from benchmarks.certificate import certify, trusting
from benchmarks.grounds import grounds
from benchmarks.rounds import measure, participants
from benchmarks.workloads import cases

from .test_null_s3 import TINY

[CASE] = (case for case in cases(TINY) if case.is_tls)
LONG_ENOUGH = 3
"""Seconds after which a client that only tries again has refused the certificate."""


@pytest.fixture(scope="module")
def place():
    with grounds(TINY) as made:
        yield made


@pytest.mark.parametrize("name", participants(CASE))
def test_a_contender_gets_an_object_and_refuses_the_certificate_of_a_strange_authority(
    place, name, tmp_path, monkeypatch
):
    if name in contenders.missing():
        pytest.skip("not installed")
    [trustful] = measure(CASE, place, TINY, [name], tell=str).rows
    assert (trustful.failure, len(trustful.rounds)) == (None, 1)

    _, stranger = certify(Path(tmp_path))
    monkeypatch.setattr("benchmarks.rounds.PATIENCE", LONG_ENOUGH)
    [wary] = measure(CASE, replace(place, environment=trusting(stranger)), TINY, [name], tell=str).rows
    assert wary.rounds == []
    assert wary.failure
