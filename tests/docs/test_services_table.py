"""The table of services in the README says what each of them cannot do."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from entrepot import Capability, Operator
from entrepot.raw import OPERATIONS, ServiceConfig
from entrepot.services import S3, Fs, Http, Memory
from tests.docs.markdown import PROJECT, table

ROWS = {
    re.sub(r"\[(\w+)\].*", r"\1", service): cannot
    for service, _, _, cannot in table((PROJECT / "README.md").read_text(), "Service", "Made by", "Can", "Cannot")
}
FLAGS = {flag.name for flag in fields(Capability) if flag.type == "bool"}


@pytest.fixture(params=["fs", "memory", "http", "s3"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceConfig:
    return {
        "fs": Fs(str(tmp_path)),
        "memory": Memory(versioned=True),
        "http": Http("https://h"),
        "s3": S3("b", region="r", access_key_id="k", secret_access_key="s"),
    }[request.param]


def _missing(config: ServiceConfig) -> set[str]:
    capability = Operator(config).info.capability
    return {flag for flag in FLAGS if not getattr(capability, flag)}


def _named(config: ServiceConfig) -> set[str]:
    return set(re.findall(r"`([^`]+)`", ROWS[config.SCHEME]))


def test_every_operation_that_is_missing_is_named(config: ServiceConfig) -> None:
    assert _missing(config) & set(OPERATIONS) == _named(config) & set(OPERATIONS)


def test_every_option_that_is_missing_of_an_operation_that_is_there_is_named(config: ServiceConfig) -> None:
    missing = _missing(config)
    options = {flag.partition("_with_") for flag in missing if "_with_" in flag}
    unnamed = {
        option
        for operation, _, option in options
        if operation not in missing
        and not any(re.fullmatch(name.replace("*", ".*"), option) for name in _named(config))
    }
    assert unnamed - {"versions", "deleted", "source_version"} == set()  # `version` says that there are none


def test_every_option_that_is_named_is_missing(config: ServiceConfig) -> None:
    missing = _missing(config)
    for name in _named(config) - set(OPERATIONS):
        flags = [flag for flag in FLAGS if re.fullmatch(f"\\w+_with_{name.replace('*', '.*')}", flag)]
        assert missing & set(flags), f"{config.SCHEME} can do {name}"
