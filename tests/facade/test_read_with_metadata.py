"""The content of an object together with its metadata, and copies of trees that read both at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from entrepot import ConditionNotMatch, IsADirectory, NotFound, Operator, RangeNotSatisfied, Unexpected, Unsupported
from entrepot.layers import CapabilityOverrideLayer
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor, OpRead, OpStat, RpRead, RpStat, WholeRead, oio
from entrepot.services import S3, Fs, Memory
from entrepot.testing.transport import MockTransport, reply
from entrepot.types import Metadata


class Wrapped(Layer):
    def __init__(self, wrap: Callable[[Accessor], Accessor]) -> None:
        self._wrap = wrap

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return self._wrap(accessor)


class NoBodies(LayeredAccessor):
    """Reads at once only."""

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        raise Unexpected("a body was opened")

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        return await self.inner.read_whole(path, args, described)


class OnlyBodies(LayeredAccessor):
    """Reads by bodies only."""

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return await self.inner.read(path, args)


class DescribesInPart(LayeredAccessor):
    """A storage whose responses to reads have no user metadata, and whose objects may change before a stat."""

    def __init__(self, inner: Accessor, changed: Metadata | None = None) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, reads_describe_all=False)
        self._changed = changed

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.inner.read_whole(path, args, described)
        assert described is not None
        assert described.metadata is not None
        described.metadata = replace(described.metadata, user_metadata={})
        return content

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return await self.inner.stat(path, args) if self._changed is None else RpStat(metadata=self._changed)


LAYERS = [NoBodies, OnlyBodies, DescribesInPart]


@pytest.mark.parametrize("layer", LAYERS)
async def test_the_metadata_is_that_of_a_stat(layer: type[LayeredAccessor]) -> None:
    op = Operator(Memory()).layer(Wrapped(layer))
    await op.write("a", b"0123456789", content_type="text/plain", user_metadata={"a": "b"})
    assert await op.read_with_metadata("a") == (b"0123456789", await op.stat("a"))
    assert await op.read_with_metadata("a", range=(2, 5)) == (b"234", await op.stat("a"))


async def test_options_are_those_of_a_read() -> None:
    op = Operator(Memory(versioned=True))
    first = await op.write("a", b"first")
    await op.write("a", b"second")
    content, metadata = await op.read_with_metadata("a", version=first.version)
    assert (content, metadata.version) == (b"first", first.version)
    for chunk in (1, 4, 100):
        assert await op.read_with_metadata("a", range=(1, None), chunk=chunk) == (b"econd", await op.stat("a"))
    assert await op.read_with_metadata("a", range=(3, 3)) == (b"", await op.stat("a"))
    assert op.blocking().read_with_metadata("a", chunk=2) == (b"second", await op.stat("a"))


async def test_errors_name_the_call() -> None:
    op = Operator(Memory())
    await op.write("a", b"content")
    calls: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (NotFound, "missing", {}),
        (IsADirectory, "a/", {}),
        (RangeNotSatisfied, "a", {"range": (8, 9)}),
        (ConditionNotMatch, "a", {"if_match": '"other"'}),
    ]
    for kind, path, options in calls:
        with pytest.raises(kind) as caught:
            await op.read_with_metadata(path, **options)
        assert (caught.value.operation, caught.value.path) == ("read_with_metadata", path)  # type: ignore[attr-defined]


async def test_metadata_of_another_content_is_refused() -> None:
    changed = Metadata(content_length=7, etag='"another"')
    op = Operator(Memory()).layer(Wrapped(lambda inner: DescribesInPart(inner, changed)))
    await op.write("a", b"content")
    with pytest.raises(ConditionNotMatch):
        await op.read_with_metadata("a")


async def test_over_http_it_is_one_request() -> None:
    headers = [("Content-Length", "4"), ("ETag", '"1"'), ("x-amz-meta-a", "b"), ("x-amz-version-id", "v1")]
    transport = MockTransport(lambda _: reply(200, b"text", headers))
    keys = {"access_key_id": "AK", "secret_access_key": "SK"}
    config = S3(bucket="b", endpoint="http://127.0.0.1:9", region="r", disable_config_load=True, **keys)
    content, metadata = await Operator(config, context=Context(http=transport)).read_with_metadata("a")
    assert (content, metadata.etag, metadata.version, dict(metadata.user_metadata)) == (
        b"text",
        '"1"',
        "v1",
        {"a": "b"},
    )
    assert [request.method for request in transport.requests] == ["GET"]


async def test_an_object_is_changed_unless_another_program_has_changed_it() -> None:
    op = Operator(Memory())
    await op.write("a", b"1")
    content, metadata = await op.read_with_metadata("a")
    await op.write("a", b"another's")
    with pytest.raises(ConditionNotMatch):
        await op.write("a", content + b"2", if_match=metadata.etag)
    content, metadata = await op.read_with_metadata("a")
    await op.write("a", content + b"2", if_match=metadata.etag)
    assert await op.read("a") == b"another's2"


async def _tree() -> Operator:
    op = Operator(Memory())
    await op.write("a", b"text", content_type="text/plain", user_metadata={"a": "b"})
    await op.write("b/c", b"more")
    return op


@pytest.mark.parametrize("layer", LAYERS)
async def test_small_files_of_a_tree_are_read_with_their_metadata(layer: type[LayeredAccessor]) -> None:
    there = Operator(Memory())
    report = await (await _tree()).layer(Wrapped(layer)).copy_tree(there, "/")
    assert report.copied == 2
    content, metadata = await there.read_with_metadata("a")
    assert (content, metadata.content_type, dict(metadata.user_metadata)) == (b"text", "text/plain", {"a": "b"})


async def test_files_of_a_directory_in_memory_are_read_with_their_metadata(tmp_path: Any) -> None:
    op, there = Operator(Fs(tmp_path)), Operator(Memory())
    await op.write("a", b"text")
    assert await op.read_with_metadata("a") == (b"text", await op.stat("a"))  # a thread has looked at the file
    assert await op.read_with_metadata("a") == (b"text", await op.stat("a"))
    assert (await op.copy_tree(there, "/")).copied == 1
    assert await there.read("a") == b"text"


async def test_an_option_that_the_service_lacks_is_refused() -> None:
    op = Operator(Memory()).layer(CapabilityOverrideLayer(read_with_if_match=False))
    with pytest.raises(Unsupported, match="no read with if_match"):
        await op.read_with_metadata("a", if_match='"1"')
