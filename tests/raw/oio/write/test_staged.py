"""The rules of `oio.Write`, kept by the four writers that services stand on, whatever fails when."""

import asyncio
from functools import partial
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from entrepot import InvalidInput, Metadata, Unexpected
from entrepot.errors import ObjectExists
from entrepot.raw.oio import StagedWriter
from entrepot.raw.oio.write import parts_in_flight as sending
from entrepot.raw.oio.write.staged import with_length
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime, run
from tests.raw.oio.stores import BUFFER, KINDS, STORES, Faults

CONTENT = bytes(range(256))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def make(kind, *fates, only=None, pauses=(), size=3):
    store = STORES[kind](Faults(fates, pauses, only))
    return store, store.writer(AsyncioRuntime().window(size))


async def until_done(verb, limit=50):
    """Calls a verb again until it works, and gives its result and how often it failed."""
    for failures in range(limit):
        try:
            return await verb(), failures
        except Unexpected:
            continue
    pytest.fail("it never works")


@pytest.mark.parametrize("size", [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER, 95])
@pytest.mark.parametrize("step", [1, 7, BUFFER, 100])
async def test_the_object_is_what_was_written(kind, size, step):
    store, writer = make(kind)
    for begin in range(0, size, step):
        await writer.write(CONTENT[begin : min(begin + step, size)])
    metadata = await writer.close()
    assert (store.content, metadata.content_length) == (CONTENT[:size], size)
    assert metadata.etag is not None
    assert list(store.leftovers) == [] or kind == "position"


@pytest.mark.parametrize("size", [0, 1, BUFFER])
async def test_what_fits_in_the_buffer_is_stored_by_one_call_on_close(kind, size):
    store, writer = make(kind)
    for begin in range(size):
        await writer.write(CONTENT[begin : begin + 1])
    assert store.faults.calls == []
    await writer.close()
    whole = {"position": "publish", "append": "append"}.get(kind, "store")
    assert [call for call in store.faults.calls if call[0] != "find_end"] == [(whole, size)]


async def test_bytes_may_come_in_any_form_and_nothing_is_no_write(kind):
    store, writer = make(kind)
    for data in (b"ab", b"", bytearray(b"cd"), bytearray(), memoryview(b"efgh")[1:], memoryview(b"")):
        await writer.write(data)
    await writer.write(memoryview(b"ijkl").cast("H"))
    assert (await writer.close()).content_length == 11
    assert store.content == b"abcdfghijkl"


async def test_second_close_gives_the_same_and_stores_nothing(kind):
    store, writer = make(kind)
    await writer.write(CONTENT)
    metadata = await writer.close()
    calls = len(store.faults.calls)
    assert await writer.close() is metadata
    await writer.abort()
    assert await writer.close() is metadata
    assert (store.content, len(store.faults.calls)) == (CONTENT, calls)


async def test_write_after_close_is_refused(kind):
    store, writer = make(kind)
    await writer.close()
    with pytest.raises(InvalidInput, match="the writer is closed"):
        await writer.write(b"more")
    assert store.content == b""


async def test_write_after_a_close_that_failed_is_refused(kind):
    store, writer = make(kind, "refused")
    await writer.write(b"some")
    with pytest.raises(Unexpected):
        await writer.close()
    with pytest.raises(InvalidInput, match="being closed"):
        await writer.write(b"more")
    await writer.close()
    assert store.content == b"some"


@pytest.mark.parametrize("size", [0, 5, 95])
@pytest.mark.parametrize("times", [1, 2])
async def test_nothing_is_left_after_an_abort_and_nothing_more_is_sent(kind, size, times):
    store, writer = make(kind)
    await writer.write(CONTENT[:size])
    for _ in range(times):
        await writer.abort()
    calls = len(store.faults.calls)
    for verb in (lambda: writer.write(b"more"), writer.close):
        with pytest.raises(InvalidInput, match="aborted"):
            await verb()
    await writer.abort()
    assert (store.content, list(store.leftovers), len(store.faults.calls)) == (None, [], calls)


@pytest.mark.parametrize("fate", ["refused", "lost"])
@pytest.mark.parametrize("nth", range(12))
async def test_each_call_may_fail_once_and_only_that_is_made_again(kind, nth, fate):
    store, writer = make(kind, *[None] * nth, fate)
    failures = 0
    for begin in range(0, 45, 9):
        failures += (await until_done(lambda begin=begin: writer.write(CONTENT[begin : begin + 9])))[1]
    metadata, last = await until_done(writer.close)
    assert (store.content, metadata.content_length) == (CONTENT[:45], 45)
    untroubled, other = make(kind)
    for begin in range(0, 45, 9):
        await other.write(CONTENT[begin : begin + 9])
    await other.close()
    is_met = nth < len(untroubled.faults.calls)
    assert failures + last == is_met
    more = sorted(store.faults.names)
    for name in untroubled.faults.names:
        more.remove(name)
    assert more == ([store.faults.names[nth]] if is_met and kind != "append" else more)
    assert len(more) <= 2


@pytest.mark.parametrize("kind", ["multipart", "position"])
async def test_a_failed_abort_can_be_made_again(kind):
    store, writer = make(kind, "refused", only="abort")
    for _ in range(3):
        await writer.write(CONTENT)
    with pytest.raises(Unexpected):
        await writer.abort()
    with pytest.raises(InvalidInput, match="aborted"):
        await writer.close()
    await writer.abort()
    assert (store.content, store.leftovers) == (None, [])


async def test_a_body_whose_close_failed_can_be_aborted(kind):
    store, writer = make(kind, *["refused"] * 4)
    await writer.write(CONTENT[:5])
    with pytest.raises(Unexpected):
        await writer.close()
    store.faults.fates.clear()
    await writer.abort()
    assert (store.content, list(store.leftovers)) == (None, [])


def test_the_length_that_the_storage_says_stays():
    assert with_length(Metadata(content_length=3), 7).content_length == 3
    assert with_length(Metadata(etag='"1"'), 7) == Metadata(etag='"1"', content_length=7)


@pytest.mark.parametrize("left_out", ["_take", "_publish", "_discard"])
def test_a_subclass_says_what_each_step_does(left_out):
    async def step(self, *args):
        raise AssertionError("it is never made")

    steps = dict.fromkeys({"_take", "_publish", "_discard"} - {left_out}, step)
    with pytest.raises(TypeError, match=f"abstract method.* '?{left_out}'?"):
        type("Lacking", (StagedWriter,), steps)()


class Course:
    """One writer, driven through verbs that fail and are cancelled, and what must have come of it.

    A verb that raised is made again, or, if it was a write, left out as often.
    """

    def __init__(self, kind, writes, end, faults, cancellations, skips, is_inline, size):
        self.store = STORES[kind](faults)
        runtime = InlineRuntime() if is_inline else AsyncioRuntime()
        self.writer = self.store.writer(runtime.window(size))
        self.is_inline = is_inline
        self.writes, self.end = writes, end
        self.cancellations, self.skips = list(cancellations), list(skips)
        self.expected = bytearray()

    async def go(self):
        for number, size in enumerate(self.writes):
            data = bytes([number % 256]) * size
            if await self.insist(lambda data=data: self.writer.write(data), may_skip=True):
                self.expected += data
        await self.insist(getattr(self.writer, self.end))
        if not self.is_inline:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    async def insist(self, verb, *, may_skip=False):
        for _ in range(200):
            try:
                await self.attempt(verb)
            except (Unexpected, asyncio.CancelledError):
                if may_skip and self.skips and self.skips.pop():
                    return False
            else:
                return True
        raise AssertionError("it never works")

    async def attempt(self, verb):
        steps = self.cancellations.pop() if self.cancellations else None
        if self.is_inline or steps is None:
            await verb()
            return
        task = asyncio.ensure_future(verb())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await task


FATES = st.lists(st.sampled_from([None, None, "refused", "lost"]), max_size=25)
COURSES = {
    "writes": st.lists(st.integers(0, 12) | st.integers(0, 60), max_size=12),
    "fates": FATES,
    "pauses": st.lists(st.integers(0, 4), max_size=40),
    "cancellations": st.lists(st.none() | st.integers(0, 12), max_size=20),
    "skips": st.lists(st.booleans(), max_size=10),
    "size": st.integers(1, 4),
}
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def drive(kind, end, is_inline, *, writes, fates, pauses, cancellations, skips, size):
    faults = Faults(fates, () if is_inline else pauses)
    course = Course(kind, writes, end, faults, cancellations, skips, is_inline, size)
    with mock.patch.object(sending, "MAX_IN_FLIGHT", 25):
        if is_inline:
            run(course.go())
        else:
            with asyncio.Runner() as runner:
                runner.run(course.go())
    return course


@pytest.mark.parametrize("is_inline", [False, True], ids=["asyncio", "inline"])
@QUICK
@given(**COURSES)
@example(
    writes=[30, 30], fates=["lost"] * 6, pauses=[1] * 9, cancellations=[2, 1, 0] * 3, skips=[True, False] * 2, size=2
)
def test_the_object_is_what_the_verbs_that_worked_have_written(kind, is_inline, **course):
    driven = drive(kind, "close", is_inline, **course)
    store = driven.store
    assert store.content == bytes(driven.expected)
    assert store.faults.running == 0
    if kind == "multipart":
        assert store.leftovers == []
        assert store.faults.most_in_flight <= max(25, len(store.content) if "store" in store.faults.names else 0)


@pytest.mark.parametrize("is_inline", [False, True], ids=["asyncio", "inline"])
@QUICK
@given(**COURSES)
def test_nothing_is_left_after_an_abort_whatever_happened_before(kind, is_inline, **course):
    driven = drive(kind, "abort", is_inline, **course)
    assert list(driven.store.leftovers) == []
    assert driven.store.faults.running == 0
    if kind == "append":
        assert bytes(driven.expected).startswith(driven.store.content or b"")
    else:
        assert driven.store.content is None


class Scripted(StagedWriter):
    """Ends each attempt as it is told to."""

    def __init__(self, *ends):
        super().__init__()
        self._ends = iter(ends)

    async def _take(self, content):
        pass

    async def _publish(self):
        end = next(self._ends)
        if isinstance(end, BaseException):
            raise end
        return end

    async def _discard(self):
        pass


LOST, REFUSED = partial(Unexpected, "reset", is_temporary=True), partial(ObjectExists, "it exists")


@pytest.mark.parametrize(
    ("before", "is_unsure"),
    [([], False), ([Unexpected("denied")], False), ([LOST()], True), ([asyncio.CancelledError()], True)],
)
async def test_a_condition_that_fails_after_a_lost_response_says_what_may_have_happened(before, is_unsure):
    writer = Scripted(*before, REFUSED(), REFUSED())
    for end in before:
        with pytest.raises(type(end)) as raised:
            await writer.close()
        assert "may_have_taken_effect" not in getattr(raised.value, "context", {})
    for _ in range(2):
        with pytest.raises(ObjectExists) as raised:
            await writer.close()
        assert raised.value.context.get("may_have_taken_effect", False) is is_unsure
