"""What the behaviour suite does not check of the postgresql service: its configuration, and errors of its own."""

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.services import Postgresql


async def test_operators_with_one_table_see_the_same_objects():
    await Operator.from_uri("postgresql://shared/a").write("b", b"content")
    assert await Operator(Postgresql("shared")).read("a/b") == b"content"


def test_a_table_without_a_name_is_refused():
    with pytest.raises(ConfigInvalid, match="table is empty"):
        Postgresql("")
