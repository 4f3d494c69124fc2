"""The reader over bytes."""

import pytest

from entrepot import InvalidInput
from entrepot.raw.oio import BytesReader


@pytest.mark.parametrize("begun", [True, False])
async def test_closed_reader_is_refused_and_loads_nothing(begun: bool) -> None:
    loaded = list[bytes]()

    def load() -> bytes:
        loaded.append(b"0123")
        return loaded[0]

    body = BytesReader(load)
    if begun:
        assert await body.read(2) == b"01"
    await body.close()
    await body.close()
    for verb in (lambda: body.read(1), lambda: body.seek(0), lambda: body.seek(0, 2), body.next):
        with pytest.raises(InvalidInput, match="closed"):
            await verb()
    assert len(loaded) == begun


async def test_it_knows_when_it_is_at_its_end() -> None:
    body = BytesReader(lambda: b"0123")
    assert not body.is_at_end
    assert await body.read(3) == b"012"
    assert not body.is_at_end
    assert await body.read(3) == b"3"
    assert body.is_at_end
    await body.seek(1)
    assert not body.is_at_end
    await body.close()
    assert not body.is_at_end
