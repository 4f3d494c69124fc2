"""The behaviour suite on your own store: `make behavior SERVICE=s3`, configured by variables.

`ENTREPOT_TEST_S3_BUCKET` is the field `bucket` of the service `s3`, and so on. The root of each run is a
random directory below the configured root, and is deleted at the end.
"""

import asyncio
import os
import uuid

import pytest

from entrepot import Operator
from entrepot.testing import cases_for, run_case

SERVICE = os.environ["ENTREPOT_TEST"]
PREFIX = f"ENTREPOT_TEST_{SERVICE.upper()}_"
CONFIGURED = {name.removeprefix(PREFIX).lower(): value for name, value in os.environ.items() if name.startswith(PREFIX)}
DIRECTORY = f"entrepot-{uuid.uuid4().hex}/"
OPTIONS = CONFIGURED | {"root": f"{CONFIGURED.get('root', '')}/{DIRECTORY}"}
CASES = cases_for(Operator.from_config(SERVICE, OPTIONS).info)


@pytest.fixture(scope="module")
def own_root():
    """The configuration, whose root is deleted at the end where the service can delete."""
    yield OPTIONS
    above = Operator.from_config(SERVICE, CONFIGURED)
    if above.info.capability.delete_with_recursive:
        asyncio.run(deleted(above))


async def deleted(above):
    async with above:
        await above.delete(DIRECTORY, recursive=True)
        assert await above.list(DIRECTORY, recursive=True) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case(case, own_root):
    async with Operator.from_config(SERVICE, own_root) as operator:
        await run_case(case, operator)
