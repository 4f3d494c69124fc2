"""No configuration shows a secret. What looks like a secret by its name is one."""

import re
from dataclasses import Field, fields
from typing import Any, get_type_hints

import pytest

from entrepot.raw import ServiceConfig
from tests.docs.test_config_tables import CONFIGS

LOOKS_SECRET = re.compile(r"password|passphrase|token|secret|credential|signature|(^|_)(key|sas|pat)(_(?!field)|$)")
FIELDS = [(config, one) for config in CONFIGS for one in fields(config) if LOOKS_SECRET.search(one.name)]


@pytest.mark.parametrize(("config", "one"), FIELDS, ids=lambda value: getattr(value, "name", None))
def test_a_field_that_looks_like_a_secret_is_kept_out_of_repr(config: type[ServiceConfig], one: "Field[Any]") -> None:
    hint = get_type_hints(config)[one.name]
    if hint in (bool, bool | None):
        return  # a switch, such as skip_signature
    where = f"{config.__name__}.{one.name}"
    assert not one.repr, f"{where} looks like a secret: give it field(default=None, repr=False)"
    assert hint in (str | None, object | None), (
        f"{where} is a secret, so its type is str | None, or a source of secrets"
    )
    assert one.default is None, f"{where} is a secret, so its default is None"


def test_there_are_secrets_to_look_at() -> None:
    found = {(config.SCHEME, one.name) for config, one in FIELDS}
    assert {("s3", "secret_access_key"), ("s3", "session_token"), ("http", "password"), ("http", "token")} <= found
