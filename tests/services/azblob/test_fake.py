"""The behaviour suite on a fake that keeps versions, which Azurite does not."""

from dataclasses import replace

import pytest

from entrepot import Operator
from entrepot.services import Azblob
from entrepot.services.azblob.behavior import OF_AZURE
from entrepot.testing import CASES, Case, run_case

from .fake import ACCOUNT, KEY, AzureFake

CONFIG = Azblob("container", "root", account_name=ACCOUNT, account_key=KEY)
APPLICABLE = [case for case in CASES if not case.unmet(Operator(CONFIG).info)]


def config_of(fake: AzureFake, **options: object) -> Azblob:
    given = {"account_key": KEY, **options}
    return Azblob("container", "root", endpoint=fake.endpoint, account_name=ACCOUNT, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", APPLICABLE, ids=lambda case: case.name)
async def test_case(case: Case) -> None:
    with AzureFake() as fake:
        if case.name not in OF_AZURE:
            await run_case(case, Operator(replace(config_of(fake), root="some/root")))
            return
        with pytest.raises((AssertionError, OSError, ValueError)):
            await run_case(case, Operator(replace(config_of(fake), root="some/root")))
