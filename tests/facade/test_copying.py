"""`copy_to`: between any two operators, whole or not at all."""

import asyncio
import os
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from entrepot import (
    ConditionNotMatch,
    ContentIncomplete,
    Copied,
    Error,
    InvalidInput,
    IsADirectory,
    IsSameFile,
    Metadata,
    NotFound,
    Operator,
    TransfersFailed,
    Unexpected,
    Unsupported,
)
from entrepot.facade.copying import CHUNK, CONCURRENT
from entrepot.layers import ErrorContextLayer
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    Operation,
    OpWrite,
    RpWrite,
    ServiceConfig,
    oio,
)
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing.synthetic import Synthetic
from entrepot.testing.transport import MockTransport, reply

KIB = 1024
MIB = 1024 * KIB
CONTENT = os.urandom(300 * KIB)
DESCRIBED = {
    "content_type": "text/plain",
    "content_disposition": "inline",
    "content_encoding": "x-none",
    "cache_control": "no-store",
    "user_metadata": {"colour": "red", "size": "10 cm"},
}
S3_CONFIG = S3("bucket", root="/a", endpoint="http://h", region="r", access_key_id="k", secret_access_key="s")


class Recorder(Layer):
    """Notes which operations and verbs arrive, and does something before some of them."""

    def __init__(self, **before: Any) -> None:
        self.calls: list[tuple[Operation, str]] = []
        self.before = before

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        recorder = self

        class Noting(AroundAccessor):
            async def around(self, operation: Operation, path: str, call: Any, *args: Any) -> Any:
                recorder.calls.append((operation, path))
                if (before := recorder.before.get(operation.name)) is not None:
                    before()
                return await call(*args)

        return Noting(accessor)

    def names(self) -> list[Operation]:
        return [operation for operation, _ in self.calls]


def fail(error: BaseException) -> Any:
    def raise_it() -> None:
        raise error

    return raise_it


async def filled(content: bytes = CONTENT, **described: Any) -> Operator:
    op = Operator(Memory())
    await op.write("source", content, **described)
    return op


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000, 300 * KIB])
async def test_the_content_is_that_of_the_source_whatever_its_size(size: int, tmp_path: Path) -> None:
    source, target = await filled(CONTENT[:size]), Operator(Fs(tmp_path / "there"))
    for options in ({}, {"chunk": 100 if size < KIB else 10 * KIB}, {"chunk": 64 * KIB, "concurrent": 1}):
        copied = await source.copy_to(target, "source", "a/b", **options)
        assert (copied.metadata.content_length, copied.is_server_side) == (size, False)
        assert await target.read("a/b") == CONTENT[:size]
    assert await source.read("source") == CONTENT[:size]


async def test_what_is_beside_the_content_is_carried_where_both_sides_have_it() -> None:
    source, target = await filled(**DESCRIBED), Operator(Memory())
    copied = await source.copy_to(target, "source", "t")
    assert copied.not_carried == ()
    found = await target.stat("t")
    assert {name: getattr(found, name) for name in DESCRIBED} == DESCRIBED


async def test_what_the_target_cannot_keep_is_reported() -> None:
    source = await filled(**DESCRIBED)
    target = Operator(Limited("write_with_content_type write_with_user_metadata"))
    copied = await source.copy_to(target, "source", "t")
    assert copied.not_carried == ("content_type", "user_metadata.colour", "user_metadata.size")
    assert (await target.stat("t")).cache_control == "no-store"


async def test_what_the_target_refuses_by_its_value_is_reported_and_the_rest_is_carried() -> None:
    source = await filled(cache_control="no-store", user_metadata={"colour": "grün", "size": "10 cm"})
    sent: list[HttpRequest] = []
    target = Operator(
        S3_CONFIG, context=Context(http=MockTransport(lambda one: sent.append(one) or reply(200))), resilient=False
    )
    copied = await source.copy_to(target, "source", "t")
    assert copied.not_carried == ("user_metadata.colour",)
    [request] = sent
    headers = dict(request.headers)
    assert (headers["x-amz-meta-size"], headers["Cache-Control"]) == ("10 cm", "no-store")
    assert "x-amz-meta-colour" not in headers


async def test_small_objects_are_one_request_of_each_side() -> None:
    transports = [MockTransport(lambda _: reply(200, b"content", [("content-length", "7"), ("etag", '"e"')]))]
    transports.append(MockTransport(lambda _: reply(200)))
    source, target = (
        Operator(replace(S3_CONFIG, root=str(n)), context=Context(http=t), resilient=False)
        for n, t in enumerate(transports)
    )
    await source.layer(Recorder()).copy_to(target, "s", "t")
    assert [[one.method for one in transport.requests] for transport in transports] == [["GET"], ["PUT"]]
    assert transports[1].bodies == [b"content"]
    assert transports[0].open_bodies == transports[1].open_bodies == 0


class Web:
    """A web server with one object, which may ignore ranges and need not tell the length."""

    def __init__(self, *, ranges: bool = True, etag: str | None = '"e"', sized: bool = True) -> None:
        self.ranges = ranges
        self.etag = etag
        self.sized = sized
        self.asked: list[str | None] = []
        self.transport = MockTransport(self.answer)
        self.operator = Operator(Http("http://h"), context=Context(http=self.transport), resilient=False)

    def answer(self, request: HttpRequest) -> HttpResponse:
        asked = dict(request.headers).get("Range")
        self.asked.append(asked)
        headers = [("etag", self.etag)] if self.etag else []
        if asked is None or not self.ranges:
            length = [("content-length", str(len(CONTENT)))] if self.sized else []
            return reply(200, CONTENT, [*headers, *length])
        first, last = (int(one) for one in asked.removeprefix("bytes=").split("-"))
        part = CONTENT[first : last + 1]
        stated = [("content-range", f"bytes {first}-{first + len(part) - 1}/{len(CONTENT)}")]
        return reply(206, part, [*headers, *stated, ("content-length", str(len(part)))])


async def test_a_server_with_ranges_and_etags_is_read_in_chunks() -> None:
    web, target = Web(), Operator(Memory())
    await web.operator.copy_to(target, "s", "t", chunk=100 * KIB)
    assert await target.read("t") == CONTENT
    assert web.asked == ["bytes=0-102399", "bytes=102400-204799", "bytes=204800-307199"]


@pytest.mark.parametrize(
    "options", [{"ranges": False}, {"etag": None}, {"etag": 'W/"e"'}, {"ranges": False, "sized": False}]
)
async def test_a_server_that_ignores_ranges_or_tells_no_etag_is_read_as_one_stream(options: dict[str, Any]) -> None:
    web, target = Web(**options), Operator(Memory())
    await web.operator.copy_to(target, "s", "t", chunk=100 * KIB)
    assert await target.read("t") == CONTENT
    assert web.asked == ["bytes=0-102399", None]
    assert web.transport.open_bodies == 0


async def test_one_stream_is_written_with_what_its_own_reply_says_is_beside_it() -> None:
    """Both replies could be of one object, as far as anybody can tell: there is no etag, and the size is the same."""
    web, target = Web(etag=None), Operator(Memory())
    answer = web.answer

    def changing(request: HttpRequest) -> HttpResponse:
        kind = "text/old" if "Range" in dict(request.headers) else "text/new"
        response = answer(request)
        response.headers["content-type"] = kind
        return response

    web.transport._handler = changing
    await web.operator.copy_to(target, "s", "t", chunk=100 * KIB)
    assert web.asked == ["bytes=0-102399", None]
    assert (await target.stat("t")).content_type == "text/new"
    assert await target.read("t") == CONTENT


async def test_a_source_that_changes_meanwhile_is_no_splice_and_no_object() -> None:
    config = Synthetic(CONTENT)
    config.script.replace(b"x" * len(CONTENT), before=3)
    target = Operator(Memory())
    with pytest.raises(ConditionNotMatch) as caught:
        await Operator(config).copy_to(target, "s", "t", chunk=50 * KIB, concurrent=2)
    assert (caught.value.operation, caught.value.path, caught.value.scheme) == ("copy_to", "s", "synthetic")
    assert not await target.exists("t")
    assert config.script.open_bodies == 0


async def test_a_source_that_ends_early_is_no_object() -> None:
    config = Synthetic(CONTENT)
    config.script.end_early(2, 10)
    target = Operator(Memory())
    with pytest.raises(ContentIncomplete):
        await Operator(config).copy_to(target, "s", "t", chunk=100 * KIB)
    assert not await target.exists("t")


async def test_a_stream_that_ends_early_is_no_object() -> None:
    web, target = Web(etag=None), Operator(Memory())
    short = reply(200, CONTENT[:-1])  # without a length, so that only the first reply told it
    answer = web.answer
    web.transport._handler = lambda request: short if "Range" not in dict(request.headers) else answer(request)
    with pytest.raises(ContentIncomplete, match="307199 bytes were read of an object of 307200"):
        await web.operator.copy_to(target, "s", "t", chunk=100 * KIB)
    assert not await target.exists("t")


async def test_an_object_that_the_target_cannot_hold_is_refused_before_it_is_written() -> None:
    source, recorder = await filled(), Recorder()
    target = Operator(Limited(write_total_max_size=1000), layers=(recorder,))
    with pytest.raises(InvalidInput, match="takes 1000 at most"):
        await source.copy_to(target, "source", "t", chunk=500)
    assert set(recorder.names()) == {Operation.WRITE}


@dataclass(frozen=True)
class Limited(ServiceConfig):
    """Memory that can less."""

    SCHEME = "limited"

    without: str = ""
    write_total_max_size: int | None = None

    def build(self, context: Context) -> Accessor:
        accessor = Memory().build(context)
        changes = {"write_total_max_size": self.write_total_max_size, **dict.fromkeys(self.without.split(), False)}
        native = replace(accessor.info.native_capability, **changes)
        accessor.info = replace(accessor.info, scheme="limited", native_capability=native, capability=native)
        return accessor


REFUSED = {
    "read": ({}, "read", ""),
    "write": ({}, "", "write"),
    "source_version": ({"source_version": "v"}, "read_with_version", ""),
    "if_not_exists": ({"if_not_exists": True}, "", "write_with_if_not_exists"),
    "if_match": ({"if_match": '"e"'}, "", "write_with_if_match"),
}


@pytest.mark.parametrize(("options", "not_here", "not_there"), REFUSED.values(), ids=REFUSED)
async def test_what_either_side_cannot_do_is_refused_before_any_io(
    options: dict[str, Any], not_here: str, not_there: str
) -> None:
    here, there = Recorder(), Recorder()
    source = Operator(Limited(not_here), layers=(here,))
    target = Operator(Limited(not_there), layers=(there,))
    with pytest.raises(Unsupported) as caught:
        await source.copy_to(target, "s", "t", **options)
    assert (caught.value.operation, caught.value.scheme) == ("copy_to", "limited")
    assert caught.value.path == ("t" if not_there else "s")
    assert set(here.names()) <= {Operation.READ}
    assert set(there.names()) <= {Operation.WRITE}


@pytest.mark.parametrize(
    ("source", "target", "options", "kind"),
    [
        ("s/", "t", {}, IsADirectory),
        ("s", "t/", {}, IsADirectory),
        ("s\0", "t", {}, InvalidInput),
        ("s", "t\0", {}, InvalidInput),
        ("s", "t", {"chunk": 0}, InvalidInput),
        ("s", "t", {"concurrent": "2"}, InvalidInput),
        ("s", "t", {"if_not_exists": 1}, InvalidInput),
        ("s", "t", {"cunk": 1}, TypeError),
    ],
)
async def test_what_cannot_work_is_refused_before_any_io(
    source: str, target: str, options: dict[str, Any], kind: type[Exception]
) -> None:
    here, there = Recorder(), Recorder()
    with pytest.raises(kind):
        await Operator(Memory(), layers=(here,)).copy_to(Operator(Memory(), layers=(there,)), source, target, **options)
    assert {*here.names(), *there.names()} <= {Operation.READ, Operation.WRITE}


async def test_the_other_operator_must_be_one() -> None:
    for other in (None, "memory://", Memory()):
        with pytest.raises(InvalidInput, match="is an Operator"):
            await Operator(Memory()).copy_to(other, "s", "t")  # type: ignore[arg-type]


async def test_a_missing_source_is_not_found_and_makes_nothing(tmp_path: Path) -> None:
    target = Operator(Fs(tmp_path / "there"))
    with pytest.raises(NotFound) as caught:
        await Operator(Memory()).copy_to(target, "s", "t")
    assert (caught.value.operation, caught.value.path, caught.value.scheme) == ("copy_to", "s", "memory")
    assert list(tmp_path.iterdir()) == []


async def test_conditions_of_the_target_hold(tmp_path: Path) -> None:
    source = await filled()
    for target in (Operator(Memory()), Operator(Fs(tmp_path))):
        await source.copy_to(target, "source", "t", if_not_exists=True)
        with pytest.raises(ConditionNotMatch) as caught:
            await source.copy_to(target, "source", "t", if_not_exists=True)
        assert (caught.value.operation, caught.value.path) == ("copy_to", "t")
    with pytest.raises(ConditionNotMatch):
        await source.copy_to(target := Operator(Memory()), "source", "t", if_match='"e"')
    assert not await target.exists("t")


async def test_a_version_is_copied() -> None:
    source, target = Operator(Memory(versioned=True)), Operator(Memory())
    first = await source.write("s", CONTENT)
    await source.write("s", b"second")
    await source.copy_to(target, "s", "t", source_version=first.version, chunk=100 * KIB)
    assert await target.read("t") == CONTENT


async def test_the_builder_says_the_same() -> None:
    source, target = await filled(), Operator(Memory())
    copied = await source.copy_to_with(target, "source", "t").chunk(64 * KIB).concurrent(2).if_not_exists()
    assert isinstance(copied, Copied)
    assert await target.read("t") == CONTENT
    with pytest.raises(ConditionNotMatch):
        await source.copy_to_with(target, "source", "t").if_not_exists()


class TestInOneStore:
    async def test_two_operators_of_one_memory_copy_within_it(self) -> None:
        config = Memory()
        source, target = Operator(config), Operator(config)
        await source.write("s", CONTENT, content_type="text/plain")
        copied = await source.copy_to(target, "s", "t")
        assert (copied.is_server_side, copied.not_carried) == (True, ())
        assert (await target.stat("t")).content_type == "text/plain"

    async def test_two_memories_are_two_stores(self) -> None:
        source, target = await filled(), Operator(Memory())
        assert not (await source.copy_to(target, "source", "source")).is_server_side

    @pytest.mark.parametrize("config", [Memory(), Fs("/tmp"), S3_CONFIG])
    async def test_an_object_is_not_copied_onto_itself(self, config: ServiceConfig) -> None:
        recorder = Recorder()
        for source, target in [
            (Operator(config), Operator(config)),
            (Operator(config, layers=(recorder,)), Operator(config)),
        ]:
            with pytest.raises(IsSameFile) as caught:
                await source.copy_to(target, "p", "/p")
            assert (caught.value.operation, caught.value.path) == ("copy_to", "p")
        assert recorder.calls == []

    async def test_an_object_is_not_copied_onto_itself_by_way_of_another_root(self, tmp_path: Path) -> None:
        inner, outer = Operator(Fs(tmp_path / "a")), Operator(Fs(tmp_path))
        await inner.write("b", CONTENT)
        with pytest.raises(IsSameFile):
            await inner.copy_to(outer, "b", "a/b")
        with pytest.raises(IsSameFile):
            await Operator(S3_CONFIG).copy_to(Operator(replace(S3_CONFIG, root="/")), "b", "a/b")

    async def test_a_version_may_be_copied_onto_its_object(self) -> None:
        op = Operator(Memory(versioned=True))
        first = await op.write("s", b"first")
        await op.write("s", b"second")
        copied = await op.copy_to(op, "s", "s", source_version=first.version)
        assert copied.is_server_side
        assert await op.read("s") == b"first"

    async def test_the_same_root_of_a_file_system_copies_within_it(self, tmp_path: Path) -> None:
        source, target = Operator(Fs(tmp_path)), Operator(Fs(tmp_path, fsync=True))
        await source.write("s", CONTENT)
        assert (await source.copy_to(target, "s", "t")).is_server_side
        assert await target.read("t") == CONTENT

    async def test_two_roots_of_a_file_system_are_copied_between(self, tmp_path: Path) -> None:
        recorder = Recorder()
        source, target = (Operator(Fs(tmp_path / name), layers=(recorder,)) for name in "ab")
        await source.write("s", CONTENT)
        recorder.calls.clear()
        assert (await source.copy_to(target, "s", "s")).is_server_side
        assert await target.read("s") == CONTENT
        assert Operation.COPY in recorder.names()
        recorder.calls.clear()
        assert not (await source.layer(Recorder()).copy_to(target, "s", "s")).is_server_side

    async def test_two_roots_of_a_bucket_are_one_request(self) -> None:
        transport = MockTransport(lambda _: reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"))
        source, target = (
            Operator(replace(S3_CONFIG, root=root), context=Context(http=transport), resilient=False) for root in "ab"
        )
        assert (await source.copy_to(target, "s/1", "t")).is_server_side
        [request] = transport.requests
        assert (request.method, request.url) == ("PUT", "http://h/bucket/b/t")
        assert dict(request.headers)["x-amz-copy-source"] == "/bucket/a/s/1"

    async def test_two_buckets_of_one_endpoint_are_one_request(self) -> None:
        transport = MockTransport(lambda _: reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"))
        source, target = (
            Operator(replace(S3_CONFIG, bucket=name, root=name), context=Context(http=transport)).at("p/")
            for name in ("one", "two")
        )
        for path in ("s", "s"):  # the second copy uses the stack of the first
            assert (await source.copy_to(target, path, path)).is_server_side
        assert len(target._stack._copying) == 1
        request = transport.requests[-1]
        assert (request.method, request.url) == ("PUT", "http://h/two/two/p/s")
        assert dict(request.headers)["x-amz-copy-source"] == "/one/one/p/s"
        assert not S3_CONFIG.is_same_store(replace(S3_CONFIG, bucket="other"))

    async def test_an_error_names_the_source_as_it_was_given(self) -> None:
        transport = MockTransport(lambda _: reply(404, b"<Error><Code>NoSuchKey</Code></Error>"))
        source, target = (
            Operator(replace(S3_CONFIG, root=root), context=Context(http=transport), resilient=False) for root in "ab"
        )
        with pytest.raises(NotFound) as caught:
            await source.copy_to(target, "s", "t")
        assert (caught.value.operation, caught.value.path) == ("copy_to", "s")

    @pytest.mark.parametrize(
        "change",
        [
            {"endpoint": "http://other"},
            {"region": "other"},
            {"access_key_id": "other"},
            {"secret_access_key": "other"},
            {"session_token": "other"},
        ],
    )
    async def test_what_differs_in_more_than_the_root_is_another_store(self, change: dict[str, str]) -> None:
        other = replace(S3_CONFIG, root="/b", **change)
        assert not S3_CONFIG.is_same_store(other)
        assert S3_CONFIG.builder_of_copies(other) is None
        assert S3_CONFIG.builder_of_copies(Memory()) is None
        assert S3_CONFIG.is_same_store(replace(S3_CONFIG, root="/b"))

    async def test_layers_that_differ_are_not_gone_around(self) -> None:
        """A layer may turn what is read into something else."""
        config, recorder = Memory(), Recorder()
        source, target = Operator(config, layers=(recorder,)), Operator(config)
        await source.write("s", CONTENT)
        recorder.calls.clear()
        assert not (await source.copy_to(target, "s", "t")).is_server_side
        assert Operation.READ in recorder.names()
        assert Operation.COPY not in recorder.names()

    async def test_equal_layers_see_the_copy(self) -> None:
        config, recorder = Memory(), Recorder()
        source, target = Operator(config, layers=(recorder,)), Operator(config, layers=(recorder,))
        await source.write("s", CONTENT)
        recorder.calls.clear()
        assert (await source.copy_to(target, "s", "t")).is_server_side
        verbs = [Operation.COPY, Operation.COPIER_NEXT, Operation.COPIER_CLOSE]
        assert recorder.calls == [(verb, "s") for verb in verbs]

    async def test_an_option_that_the_copy_has_not_is_streamed(self) -> None:
        config = Limited("copy_with_if_not_exists")
        op = Operator(config)
        await op.write("s", CONTENT)
        assert (await op.copy_to(op, "s", "t")).is_server_side
        assert not (await op.copy_to(op, "s", "t2", if_not_exists=True)).is_server_side


async def test_layers_of_the_source_see_the_reading_and_those_of_the_target_the_writing() -> None:
    here, there = Recorder(), Recorder()
    source, target = (await filled()).layer(here), Operator(Memory(), layers=(ErrorContextLayer(), there))
    await source.copy_to(target, "source", "t", chunk=100 * KIB)
    assert {operation.capability for operation in here.names()} == {"read"}
    assert {operation.capability for operation in there.names()} == {"write"}
    assert {path for _, path in here.calls} == {"source"}
    assert {path for _, path in there.calls} == {"t"}


@pytest.mark.parametrize("step", ["WRITER_WRITE", "WRITER_CLOSE"])
async def test_a_target_that_fails_has_no_object_and_no_temporary_file(step: str, tmp_path: Path) -> None:
    source = await filled()
    target = Operator(Fs(tmp_path), layers=(Recorder(**{step: fail(Unexpected("as the test asked for"))}),))
    with pytest.raises(Unexpected) as caught:
        await source.copy_to(target, "source", "t", chunk=100 * KIB)
    assert (caught.value.operation, caught.value.path) == ("copy_to", "source")
    assert list(tmp_path.iterdir()) == []


async def test_a_source_that_fails_in_the_middle_leaves_no_object(tmp_path: Path) -> None:
    config = Synthetic(CONTENT)
    config.script.fail(400, Unexpected("as the test asked for"))
    with pytest.raises(Unexpected):
        await Operator(config).copy_to(Operator(Fs(tmp_path)), "s", "t", chunk=64 * KIB)
    assert list(tmp_path.iterdir()) == []
    assert config.script.open_bodies == 0


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_copy_that_is_cancelled_leaves_nothing_behind(moment: int, tmp_path: Path) -> None:
    config = Synthetic(CONTENT)
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(Operator(config).copy_to(Operator(Fs(tmp_path)), "s", "t", chunk=40 * KIB))
    for _ in range(moment):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []
    assert config.script.open_bodies == 0
    assert asyncio.all_tasks() == before


class Upload(oio.Write):
    """Notes how it ended."""

    def __init__(self, ends: list[str]) -> None:
        self.ends = ends
        self.size = 0

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self.size += len(data)

    async def close(self) -> Metadata:
        self.ends.append("closed")
        return Metadata(content_length=self.size)

    async def abort(self) -> None:
        self.ends.append("aborted")


class Swallow(Layer):
    """A target that keeps nothing, so that what a copy holds in memory can be seen."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        ends = self.ends

        class Swallowing(AroundAccessor):
            async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
                return RpWrite(), Upload(ends)

        return Swallowing(accessor)


async def test_memory_is_bounded_by_the_chunks_in_flight(tmp_path: Path) -> None:
    with (tmp_path / "s").open("wb") as file:
        file.truncate(48 * MIB)
    swallow = Swallow()
    target = Operator(Memory(), layers=(swallow,))
    tracemalloc.start()
    try:
        copied = await Operator(Fs(tmp_path)).copy_to(target, "s", "t", chunk=MIB, concurrent=2)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (copied.metadata.content_length, swallow.ends) == (48 * MIB, ["closed"])
    assert most < 10 * MIB


async def test_a_failure_aborts_once() -> None:
    config, swallow = Synthetic(CONTENT), Swallow()
    config.script.end_early(2, 10)
    with pytest.raises(Error):
        await Operator(config).copy_to(Operator(Memory(), layers=(swallow,)), "s", "t", chunk=100 * KIB)
    assert swallow.ends == ["aborted"]


def test_by_default_a_few_chunks_are_in_flight() -> None:
    assert (CHUNK, CONCURRENT) == (8 * MIB, 4)


async def test_metadata_is_replaced_in_a_copy_that_is_streamed() -> None:
    source, target = Operator(Memory()), Operator(Memory())
    await source.write("s", CONTENT, content_type="text/x-old", cache_control="no-store", user_metadata={"a": "1"})
    copied = await source.copy_to(target, "s", "t", content_type="text/x-new", user_metadata={"b": "2"})
    assert (copied.is_server_side, copied.not_carried) == (False, ())
    made = await target.stat("t")
    assert (made.content_type, made.cache_control, dict(made.user_metadata)) == ("text/x-new", "no-store", {"b": "2"})


async def test_an_object_is_copied_onto_itself_only_for_another_version_or_metadata() -> None:
    op = Operator(Memory())
    await op.write("s", CONTENT, user_metadata={"a": "1"})
    assert (await op.copy_to(op, "s", "s", user_metadata={})).is_server_side
    assert dict((await op.stat("s")).user_metadata) == {}
    for call in (op.copy("s", "s"), op.copy_to(op, "s", "s")):
        with pytest.raises(IsSameFile):
            await call


async def test_metadata_that_the_target_cannot_store_is_refused_before_any_io(tmp_path: Path) -> None:
    source, target = Operator(Memory()), Operator(Fs(tmp_path))
    await source.write("s", CONTENT)
    with pytest.raises(Unsupported):
        await source.copy_to(target, "s", "t", content_type="text/plain")
    assert not await target.exists("t")


async def test_tags_are_stated_in_a_copy_that_is_streamed_and_others_are_refused_where_they_cannot_be() -> None:
    source, target = Operator(Memory()), Operator(Memory())
    await source.write("s", CONTENT, tags={"a": "1"})
    await source.copy_to(target, "s", "t", tags={"b": "2"})
    assert dict(await target.get_tags("t")) == {"b": "2"}
    for options in ({"storage_class": "COLD"}, {"acl": "private"}):
        with pytest.raises(Unsupported):
            await source.copy_to(target, "s", "u", **options)


class _NoNames(Layer):
    """A service that refuses a path when a write is opened, as some refuse names."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        class Wrapped(LayeredAccessor):
            async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
                raise InvalidInput("the service does not keep the name")

        return Wrapped(accessor)


async def test_a_name_that_the_target_refuses_is_not_taken_for_a_header() -> None:
    source = Operator(Memory())
    await source.write("a", b"1", content_type="text/plain", user_metadata={"colour": "red"})
    target = Operator(Memory()).layer(_NoNames())
    with pytest.raises(TransfersFailed) as failed:
        await source.copy_tree(target, "/", "/")
    assert [error.message for error in failed.value.failures] == ["the service does not keep the name"]


@pytest.mark.parametrize(
    ("target", "side"), [(lambda: Operator(Memory()), "target"), (None, "source or target")], ids=["stream", "store"]
)
async def test_an_error_says_which_side_has_failed(target: Any, side: str) -> None:
    here = Operator(Memory())
    there = target() if target else here
    await here.write("a", b"1")
    await there.write("taken", b"2")
    with pytest.raises(ConditionNotMatch) as caught:
        await here.copy_to(there, "a", "taken", if_not_exists=True)
    assert caught.value.context["side"] == side
    with pytest.raises(NotFound) as missing:
        await here.copy_to(there, "missing", "b")
    assert missing.value.context["side"] == "source"
