"""A large object whose parts are tasks: what its upload checks, without a cluster."""

import pytest

from entrepot import Operator, Unexpected
from entrepot.integrations.dask.items import Batch, Item
from entrepot.integrations.dask.large import Spreader, SpreadObject, run_part
from entrepot.integrations.dask.survey import Tree
from entrepot.integrations.dask.tasks import Copying
from entrepot.layers import CapabilityOverrideLayer
from entrepot.services import Fs
from entrepot.testing import S3Server
from tests.conftest import s3_config

PART = 5 << 20
SIZE = PART + 10


@pytest.fixture
def copying(tmp_path, seaweedfs_server: S3Server) -> Copying:  # type: ignore[no-untyped-def]
    here = Operator(Fs(tmp_path)).layer(CapabilityOverrideLayer(read_with_if_match=False))
    bucket = Operator(s3_config(seaweedfs_server))
    here.blocking().write("a", b"1" * SIZE)
    return Copying(Tree(here), Tree(bucket), bucket.at(".entrepot/"))


def begun(copying: Copying) -> SpreadObject:
    spread = Spreader(copying, least=1, part=PART)(Batch.of([Item("a", SIZE)]))
    assert spread is not None
    return spread


def test_a_source_without_conditions_that_changes_during_the_copy_is_not_copied(copying: Copying) -> None:
    spread = begun(copying)
    parts = [run_part(*spread.task(1)[1])]
    copying.source.operator.blocking().write("a", b"2" * SIZE)
    parts += [run_part(*spread.task(2)[1])]
    with pytest.raises(Unexpected, match="changed during the copy"):
        spread.complete(parts)
    spread.abort()
    target = copying.target.operator.blocking()
    assert (target.exists("a"), target.list_uploads()) == (False, [])
    spread = begun(copying)
    spread.complete([run_part(*spread.task(number)[1]) for number in spread.numbers])
    assert target.read("a") == b"2" * SIZE


@pytest.mark.parametrize("record", [b"", b"[]", b'{"number": 1}', b'{"number": 1'])
def test_a_record_of_a_part_that_cannot_be_read_is_of_no_part(copying: Copying, record: bytes) -> None:
    spread = begun(copying)
    run_part(*spread.task(1)[1])
    assert copying.state is not None
    copying.state.blocking().write(f"{spread.large.records}1.json", record)
    again = begun(Copying(copying.source, copying.target, copying.state, is_rerun=True))
    assert (again.large.upload, again.numbers) == (spread.large.upload, [1, 2])
    again.abort()
