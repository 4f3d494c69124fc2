"""Objects that are replaced, cut short or refused while they are read: one version, or an error, in few requests."""

import asyncio
import contextlib
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    NotFound,
    Operator,
    RangeNotSatisfied,
    Unexpected,
)
from entrepot.layers import RetryLayer, TimeoutLayer
from entrepot.raw import Context
from entrepot.services import S3, Http, Memory
from entrepot.testing import MockTransport, nginx
from tests.reliability.hostile import HostileServer, Version

OLD_TIME, NEW_TIME = "Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:04:06 GMT"


def varied(size, first=0):
    """Bytes of which no two stretches of a few are alike, and that differ from those of another `first`."""
    return b"".join(number.to_bytes(4, "big") for number in range(first, first + size // 4 + 1))[:size]


OLD = varied(1000)
ALL = 10_000


def operator_over(server, *, layers=True, config=None):
    transport = MockTransport(server)
    op = Operator(config or Http("http://h.test"), context=Context(http=transport), resilient=False)
    return (op.layer(TimeoutLayer()).layer(RetryLayer(min_delay=1e-6, max_delay=1e-5)) if layers else op), transport


def s3_config():
    return S3(bucket="b", region="r", endpoint="http://s3.test", skip_signature=True)


@pytest.fixture(params=[False, True], ids=["bare", "layers"])
def layers(request):
    return request.param


@pytest.mark.parametrize("refusal_has_size", [True, False])
@pytest.mark.parametrize("size", [0, 1, 300, 350, 399, 400, 500, 999])
@pytest.mark.parametrize("concurrent", [1, 3])
@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
async def test_an_object_that_is_cut_short_while_it_is_read_is_another_one(
    refusal_has_size, size, concurrent, etag, layers
):
    versions = [Version(OLD, etag), Version(OLD[:size], etag)]
    server = HostileServer(versions, replaced_before=[4], refusal_has_size=refusal_has_size, limit=60)
    op, transport = operator_over(server, layers=layers)
    with pytest.raises(ConditionNotMatch) as caught:
        await op.read("object", chunk=100, concurrent=concurrent)
    assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == ("read", "object", False)
    assert transport.open_bodies == 0


def test_an_object_that_is_cut_short_behind_nginx_without_etags_is_another_one(tmp_path, layers):
    async def main(server):
        op = Operator(Http(server.url), resilient=False)
        op = op.layer(TimeoutLayer()).layer(RetryLayer()) if layers else op
        file = tmp_path / "object"
        file.write_bytes(OLD)
        os.utime(file, (10**9, 10**9))
        async with op.reader("object", chunk=100) as reader:
            assert await reader.read(400) == OLD[:400]
            with file.open("r+b") as handle:
                handle.truncate(300)
            os.utime(file, (10**9, 10**9))
            with pytest.raises(ConditionNotMatch) as caught:
                await reader.read(100)
            assert (caught.value.operation, caught.value.path, reader.tell()) == ("reader.read", "object", 400)
        await op.close()

    with nginx(tmp_path, has_etags=False) as server:
        asyncio.run(asyncio.wait_for(main(server), 30))


@pytest.mark.parametrize("refusal_has_size", [True, False])
@pytest.mark.parametrize("concurrent", [1, 2, 5])
@pytest.mark.parametrize("refused", [1, 2, 4])
@pytest.mark.parametrize("hint", [None, 1000])
async def test_a_range_that_is_refused_once_is_no_end(refusal_has_size, concurrent, refused, hint, layers):
    server = HostileServer([Version(OLD, '"e"')], refused={refused}, refusal_has_size=refusal_has_size, limit=30)
    op, transport = operator_over(server, layers=layers)
    read = op.read_with("object").chunk(200).concurrent(concurrent).content_length_hint(hint)
    if layers and not refusal_has_size:
        assert await read == OLD
        return
    with pytest.raises((ContentIncomplete, Unexpected)) as caught:
        await read
    assert (caught.value.operation, caught.value.path) == ("read", "object")
    assert transport.open_bodies == 0


@pytest.mark.parametrize("refusal_has_size", [True, False])
@pytest.mark.parametrize("refused", [0, 1, 2, 4])
@pytest.mark.parametrize("options", [{"gap": 0}, {"gap": 1000, "chunk": 200}], ids=["ranges", "pieces"])
async def test_one_of_five_fetched_ranges_that_is_refused_is_an_error(refusal_has_size, refused, options, layers):
    server = HostileServer([Version(OLD, '"e"')], refused={refused}, refusal_has_size=refusal_has_size, limit=30)
    op, transport = operator_over(server, layers=layers)
    reader = await op.reader("object", **options)
    ranges = [(begin, begin + 190) for begin in range(0, 1000, 200)]
    if not layers or refusal_has_size:
        with pytest.raises((ContentIncomplete, Unexpected)):
            await reader.fetch(ranges)
    assert await reader.fetch(ranges) == [OLD[begin:end] for begin, end in ranges]
    await reader.aclose()
    assert transport.open_bodies == 0


@pytest.mark.parametrize("config", [None, s3_config()], ids=["http", "s3"])
@pytest.mark.parametrize("refusal_has_size", [True, False])
async def test_a_copy_of_which_a_range_is_refused_is_not_stored(config, refusal_has_size, layers):
    server = HostileServer([Version(OLD, '"e"')], refused={2}, refusal_has_size=refusal_has_size, limit=30)
    op, transport = operator_over(server, layers=layers, config=config)
    target = Operator(Memory())
    if layers and not refusal_has_size and config is None:
        await op.copy_to(target, "object", "copy", chunk=200)
        assert await target.read("copy") == OLD
        return
    with pytest.raises((ContentIncomplete, Unexpected)):
        await op.copy_to(target, "object", "copy", chunk=200)
    with pytest.raises(NotFound):
        await target.stat("copy")
    assert transport.open_bodies == 0


@pytest.mark.parametrize("refusal_has_size", [True, False])
@pytest.mark.parametrize("is_size_known", [True, False])
async def test_a_seek_whose_request_is_refused_gives_no_other_bytes(refusal_has_size, is_size_known, layers):
    content = varied(100_000)
    refused = 1 if is_size_known else 0
    server = HostileServer([Version(content, '"e"')], refused={refused}, refusal_has_size=refusal_has_size)
    op, transport = operator_over(server, layers=layers)
    async with op.reader("object", chunk=10_000, concurrent=2, content_length_hint=100_000) as reader:
        if is_size_known:
            assert await reader.metadata()
        await reader.seek(20_000)
        if not layers or refusal_has_size:
            with pytest.raises((ContentIncomplete, Unexpected)):
                await reader.read(4)
            assert reader.tell() == 20_000
        assert await reader.read(4) == content[20_000:20_004]
    assert transport.open_bodies == 0


@pytest.mark.parametrize("chunk", [None, 100])
@pytest.mark.parametrize("size", [100, 250, 299])
@pytest.mark.parametrize("marks", [(None, None), ('W/"1"', 'W/"2"')], ids=["no etags", "etags"])
async def test_an_object_without_lengths_that_is_replaced_by_a_shorter_one_is_not_cut(chunk, size, marks, layers):
    versions = [Version(OLD, marks[0]), Version(varied(size, 7000), marks[1])]
    server = HostileServer(
        versions, replaced_before=[3 if chunk else 1], has_ranges=False, has_lengths=False, head_has_length=False
    )
    op, _ = operator_over(server, layers=layers)
    async with op.reader("object", chunk=chunk) as reader:
        assert await reader.read(300) == OLD[:300]
        if chunk is None:
            await reader.seek(999)
            assert await reader.read(1) == OLD[999:]
            await reader.seek(300)
        with pytest.raises(ConditionNotMatch):
            await reader.read(100)


@pytest.mark.parametrize("chunk", [None, 100])
async def test_a_reader_that_was_left_and_goes_on_notices_that_the_object_is_shorter(chunk, layers):
    versions = [Version(OLD), Version(varied(250, 7000))]
    server = HostileServer(versions, replaced_before=[99], has_ranges=False, has_lengths=False, head_has_length=False)
    op, transport = operator_over(server, layers=layers)
    async with op.reader("object", chunk=chunk) as reader:
        assert await reader.read(300) == OLD[:300]
        async with contextlib.aclosing(aiter(reader)) as parts:
            assert OLD[300:].startswith(await anext(parts))
        server.replaced_before = [0]
        await reader.seek(350)
        with pytest.raises(ConditionNotMatch):
            await reader.read(10)
    assert transport.open_bodies == 0


async def test_a_refused_read_at_the_end_asks_nothing_ahead(layers):
    server = HostileServer([Version(OLD)])
    op, transport = operator_over(server, layers=layers)
    async with op.reader("object", chunk=100, concurrent=3) as reader:
        await reader.seek(1000)
        assert await reader.read(10) == b""
        await asyncio.sleep(0)
        assert len(transport.requests) == 1


async def test_a_size_that_only_a_refusal_told_is_not_kept(layers):
    server = HostileServer([Version(OLD[:300]), Version(OLD)], replaced_before=[1])
    op, _ = operator_over(server, layers=layers)
    for chunk in (None, 100):
        server.requests = 0
        async with op.reader("object", chunk=chunk) as reader:
            await reader.seek(300)
            assert await reader.read(10) == b""
            await reader.seek(0)
            assert await reader.read() == OLD
            assert await reader.size() == 1000


@pytest.mark.parametrize("refusal_has_size", [True, False])
@pytest.mark.parametrize("chunk", [None, 100])
async def test_what_starts_at_the_end_or_is_empty_reads_empty(refusal_has_size, chunk, layers):
    for content, part in [(b"", (0, 10)), (b"", (0, None)), (OLD, (1000, 1100)), (OLD, (1000, None))]:
        server = HostileServer([Version(content)], refusal_has_size=refusal_has_size)
        op, _ = operator_over(server, layers=layers)
        assert await op.read("object", range=part, chunk=chunk) == b""
    with pytest.raises(RangeNotSatisfied):
        await op.read("object", range=(1001, None), chunk=chunk)


SAME_SIZE = varied(1000, 7000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((None, None), ('"2"', None)),
        ((None, OLD_TIME), ('W/"2"', OLD_TIME)),
        (('W/"1"', None), (None, None)),
        (('"1"', OLD_TIME), (None, OLD_TIME)),
        (('W/"1"', OLD_TIME), ('W/"1"', NEW_TIME)),
        (('W/"1"', OLD_TIME), ('W/"1"', None)),
        (('W/"1"', OLD_TIME), ('W/"2"', OLD_TIME)),
        (('W/"1"', None), ('"1"', None)),
        ((None, OLD_TIME), (None, NEW_TIME)),
        ((None, None), (None, NEW_TIME)),
        ((None, OLD_TIME), (None, None)),
    ],
)
@pytest.mark.parametrize("chunk", [None, 100])
@pytest.mark.parametrize("has_ranges", [True, False])
async def test_validators_that_differ_appear_or_disappear_are_of_another_object(old, new, chunk, has_ranges, layers):
    server = HostileServer([Version(OLD, *old), Version(SAME_SIZE, *new)], replaced_before=[1], has_ranges=has_ranges)
    op, transport = operator_over(server, layers=layers)
    async with op.reader("object", chunk=chunk) as reader:
        assert await reader.read(50) == OLD[:50]
        await reader.seek(800)
        await reader.seek(400)
        if chunk is None:
            await reader.seek(0)
            with pytest.raises(ConditionNotMatch) as caught:
                await reader.read(50)
        else:
            with pytest.raises(ConditionNotMatch) as caught:
                await reader.read(50)
        assert (caught.value.operation, caught.value.path) == ("reader.read", "object")
    assert transport.open_bodies == 0


@pytest.mark.parametrize("times", [(OLD_TIME, NEW_TIME), (OLD_TIME, None), (None, NEW_TIME)])
async def test_the_same_strong_etag_is_the_same_content_whenever_it_was_stored(times, layers):
    versions = [Version(OLD, '"1"', times[0]), Version(OLD, '"1"', times[1])]
    server = HostileServer(versions, replaced_before=[2])
    op, _ = operator_over(server, layers=layers)
    assert await op.read("object", chunk=100) == OLD


async def test_bytes_that_are_encoded_otherwise_are_not_combined(layers):
    server = HostileServer([Version(OLD, '"1"')])

    def handle(request):
        response = server(request)
        if server.requests > 1:
            response.headers["content-encoding"] = "gzip"
        return response

    op, _ = operator_over(handle, layers=layers)
    with pytest.raises(ConditionNotMatch):
        await op.read("object", chunk=500)


@pytest.mark.parametrize("head", [(None, None), (None, OLD_TIME)])
@pytest.mark.parametrize("content", [(None, None), ('"1"', OLD_TIME), ('W/"1"', None)])
@pytest.mark.parametrize("chunk", [None, 100])
@pytest.mark.parametrize("head_has_length", [True, False])
async def test_a_head_may_say_less_than_what_comes_with_content(head, content, chunk, head_has_length, layers):
    said = HostileServer([Version(OLD, *head)], head_has_length=head_has_length)
    sent = HostileServer([Version(OLD, *content)])
    op, _ = operator_over(lambda request: (said if request.method == "HEAD" else sent)(request), layers=layers)
    async with op.reader("object", chunk=chunk) as reader:
        assert await reader.size() == 1000
        assert await reader.seek(-10, os.SEEK_END) == 990
        assert await reader.read() == OLD[990:]
        await reader.seek(0)
        assert await reader.read() == OLD
        assert (await reader.metadata()).etag == content[0]


TIMES = st.sampled_from([None, (OLD_TIME, NEW_TIME)])
ETAGS = st.sampled_from([None, ('"1"', '"2"'), ('W/"1"', 'W/"2"'), ('W/"1"', 'W/"1"'), (None, '"2"'), ('"1"', None)])


@st.composite
def servers(draw):
    """Servers whose object is replaced by one that can be told from it: by an etag, a time or a size."""
    etags, times = draw(ETAGS) or (None, None), draw(TIMES) or (None, None)
    size = draw(st.integers(0, 1200))
    has_lengths = draw(st.booleans())
    differs = etags[0] != etags[1] or times[0] != times[1]
    if not differs and (size == 1000 or not has_lengths):
        size, has_lengths = 700, True
    return HostileServer(
        [Version(OLD, etags[0], times[0]), Version(varied(size, 7000), etags[1], times[1])],
        replaced_before=[draw(st.integers(0, 12))],
        refused=draw(st.sets(st.integers(0, 12), max_size=2)),
        has_ranges=draw(st.booleans()),
        has_lengths=has_lengths,
        head_has_length=draw(st.booleans()),
        refusal_has_size=draw(st.booleans()),
        checks=draw(st.sampled_from(["first", "after the range", "never"])),
    )


async def read_at_once(op, options):
    return [(await op.read("object", **options), 0, ALL)]


async def read_as_a_stream(op, options):
    return [(b"".join([chunk async for chunk in op.reader("object", **options)]), 0, ALL)]


async def read_with_a_position(op, options):
    """Forwards, backwards and across; a call that failed for the moment is made again."""
    found = []
    async with op.reader("object", **options) as reader:
        for position in (0, 130, 900, 300):
            await reader.seek(position)
            found.append((await again(lambda: reader.read(150)), position, 150))
        await reader.seek(0)
        found.append((await again(reader.read), 0, ALL))
    return found


async def fetch(op, options):
    async with op.reader("object", **options) as reader:
        spans = [(0, 90), (100, 190), (400, 600), (900, 990)]
        fetched = await again(lambda: reader.fetch(spans))
        return [(data, begin, end - begin) for data, (begin, end) in zip(fetched, spans, strict=True)]


async def copy(op, options):
    target = Operator(Memory())
    await op.copy_to(target, "object", "copy", chunk=options["chunk"], concurrent=options["concurrent"])
    return [(await target.read("copy"), 0, ALL)]


async def again(call):
    for _ in range(3):
        try:
            return await call()
        except ContentIncomplete:
            pass
    return await call()


@settings(max_examples=400, deadline=None)
@given(
    servers(),
    st.sampled_from([read_at_once, read_as_a_stream, read_with_a_position, fetch, copy]),
    st.none() | st.integers(70, 400),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(0, 1500),
    st.booleans(),
)
def test_a_read_gives_one_version_or_an_error_in_few_requests(server, way, chunk, concurrent, hint, layers):
    async def main():
        op, transport = operator_over(server, layers=layers)
        try:
            found = await way(op, {"chunk": chunk, "concurrent": concurrent, "content_length_hint": hint})
        except Error:
            found = None
        assert transport.open_bodies == 0
        return found

    begun = time.monotonic()
    found = asyncio.run(main())
    assert time.monotonic() - begun < 20
    assert found is None or any(is_of(version.content, found) for version in server.versions)


def is_of(content, found):
    """Whether all that was found is of one content: data, where it begins, and how many bytes were asked for."""
    return all(data == content[begin : begin + size] for data, begin, size in found)


STEP = st.one_of(
    st.tuples(st.just("seek"), st.integers(0, 1300)),
    st.tuples(st.just("seek from the end"), st.integers(0, 200)),
    st.tuples(st.just("read"), st.integers(1, 500) | st.just(-1)),
    st.tuples(st.just("next"), st.none()),
    st.tuples(st.just("fetch"), st.tuples(st.integers(0, 1100), st.integers(1, 300))),
    st.tuples(st.just("size"), st.none()),
)


@settings(max_examples=400, deadline=None)
@given(
    servers(),
    st.lists(STEP, max_size=12),
    st.none() | st.integers(70, 400),
    st.none() | st.integers(1, 4),
    st.booleans(),
)
def test_all_that_a_reader_gives_is_of_one_version_whatever_fails_between(server, steps, chunk, concurrent, layers):
    async def main():
        op, transport = operator_over(server, layers=layers)
        reader = await op.reader("object", chunk=chunk, concurrent=concurrent)
        candidates = list(server.versions)
        for name, argument in steps:
            with contextlib.suppress(Error):
                fits = await given_by(reader, name, argument)
                candidates = [one for one in candidates if fits(one.content)]
        await reader.aclose()
        assert transport.open_bodies == 0
        assert candidates, "what came is of no version"

    asyncio.run(main())


async def given_by(reader, name, argument):
    """Makes a step. Returns a function that says whether a content can have given what came."""
    begin = reader.tell()
    match name:
        case "seek":
            await reader.seek(argument)
        case "seek from the end":
            await reader.seek(-argument, os.SEEK_END)
        case "read":
            data = await reader.read(argument)
            size = ALL if argument == -1 else argument
            return lambda content: data == content[begin : begin + size]
        case "next":
            chunk = await reader.next()
            return lambda content: content[begin:].startswith(chunk) if chunk else begin >= len(content)
        case "fetch":
            [fetched] = await reader.fetch([(argument[0], sum(argument))])
            return lambda content: fetched == content[argument[0] : sum(argument)]
        case "size":
            await reader.size()  # of a HEAD, perhaps, which need not have the validators that come with content
    return lambda content: True
