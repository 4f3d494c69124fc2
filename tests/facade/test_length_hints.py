"""The length of a source that is known is passed to services that send parts."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot import Operator
from entrepot.facade import sources
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor, OpWrite, RpWrite, oio
from entrepot.services import Memory

CONTENT = b"0123456789"


class SendsParts(Layer):
    """Claims that the service sends parts, and keeps the hint of each write."""

    def __init__(self) -> None:
        self.hints: list[int | None] = []

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _Noting(accessor, self)


class _Noting(LayeredAccessor):
    def __init__(self, inner: Accessor, layer: SendsParts) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, capability=replace(inner.info.capability, write_multi_max_size=100))
        self._layer = layer

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        self._layer.hints.append(args.content_length_hint)
        return await self.inner.write(path, args)


@pytest.fixture(autouse=True)
def _no_source_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONG", 3)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("bytes", 10), ("array", 10), ("path", 10), ("file", 10), ("memory", None), ("pieces", None), ("short", None)],
)
async def test_the_length_of_bytes_and_of_files_is_a_hint(kind: str, hint: int | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        data: dict[str, Any] = {
            "bytes": CONTENT,
            "array": memoryview(CONTENT),
            "path": path,
            "file": file,
            "memory": io.BytesIO(CONTENT),
            "pieces": iter([CONTENT]),
            "short": b"012",
        }
        layer = SendsParts()
        op = Operator(Memory(), layers=(layer,))
        await op.write("a", data[kind])
        assert layer.hints == [hint]
        assert await op.read("a") == (CONTENT if kind != "short" else b"012")


async def test_a_hint_of_the_caller_is_kept() -> None:
    layer = SendsParts()
    await Operator(Memory(), layers=(layer,)).write("a", CONTENT, content_length_hint=7)
    assert layer.hints == [7]


async def test_a_file_that_is_missing_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        await Operator(Memory(), layers=(SendsParts(),)).write("a", tmp_path / "missing")


async def test_a_copy_that_is_streamed_passes_on_the_size_of_its_source() -> None:
    layer = SendsParts()
    source, target = Operator(Memory()), Operator(Memory(), layers=(layer,))
    await source.write("s", CONTENT)
    await source.copy_to(target, "s", "t")
    assert layer.hints[-1] == 10
