"""How the body of a write ends: the rules of `oio.Write`, kept by every service that can write."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot import InvalidInput, NotFound
from entrepot.raw import Accessor, Context, OpRead, OpStat, OpWrite
from entrepot.raw.oio import Write
from entrepot.services import Fs, Memory
from entrepot.services.memory.core import Table


@pytest.fixture(params=["fs", "memory"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Accessor:
    return (Fs(str(tmp_path)) if request.param == "fs" else Memory()).build(Context())


@pytest.fixture
async def body(service: Accessor) -> Write:
    _, body = await service.write("object", OpWrite())
    await body.write(b"content")
    return body


async def stored(service: Accessor) -> bytes | None:
    _, body = await service.read("object", OpRead())
    try:
        return await body.read(100)
    except NotFound:
        return None
    finally:
        await body.close()


async def test_second_close_gives_the_same_and_stores_nothing(service: Accessor, body: Write) -> None:
    metadata = await body.close()
    assert await body.close() == metadata
    assert (await service.stat("object", OpStat())).metadata == metadata


async def test_write_after_close_is_refused(service: Accessor, body: Write) -> None:
    await body.close()
    with pytest.raises(InvalidInput, match="closed"):
        await body.write(b"more")
    assert (await body.close()).content_length == 7
    assert await stored(service) == b"content"


async def test_abort_after_close_leaves_what_was_published(service: Accessor, body: Write) -> None:
    metadata = await body.close()
    await body.abort()
    assert await body.close() == metadata
    assert await stored(service) == b"content"


@pytest.mark.parametrize("times", [1, 2])
async def test_nothing_is_published_after_an_abort(service: Accessor, body: Write, times: int) -> None:
    for _ in range(times):
        await body.abort()
    for verb in (lambda: body.write(b"more"), body.close):
        with pytest.raises(InvalidInput, match="aborted"):
            await verb()
    assert await stored(service) is None


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the next close fail; what it gives repairs it again."""

    def fail(*_: object, **__: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(os, "rename", fail)
    monkeypatch.setattr(Table, "put", fail)
    return monkeypatch.undo


async def test_failed_close_can_be_tried_again(service: Accessor, body: Write, broken: Callable[[], None]) -> None:
    with pytest.raises(OSError):
        await body.close()
    broken()
    assert (await body.close()).content_length == 7
    assert await stored(service) == b"content"


async def test_body_whose_close_failed_can_be_aborted(
    service: Accessor, body: Write, broken: Callable[[], None]
) -> None:
    with pytest.raises(OSError):
        await body.close()
    broken()
    await body.abort()
    with pytest.raises(InvalidInput, match="aborted"):
        await body.close()
    assert await stored(service) is None


async def test_body_that_keeps_all_until_close_needs_no_abort_of_its_own() -> None:
    await Write().abort()
