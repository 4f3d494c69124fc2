"""The read oracle as a state machine: any verb in any order, on every service, with both runtimes.

Faults come from the synthetic service: a verb that meets one is called again and must continue at its position.
"""

import asyncio
import os
from itertools import count
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from entrepot import BytesRange, Operator, RangeNotSatisfied, Unexpected
from entrepot.facade.reader import open_body
from entrepot.facade.stack import assemble
from entrepot.raw import Context, OpRead
from entrepot.raw.oio.read import by_range_seekable
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.runtime.inline import InlineRuntime, run
from entrepot.testing import BodyChecker, ReaderChecker, Synthetic

INJECTED = "injected by the test"
CASES = [(seek, chunks) for seek in (True, False) for chunks in (True, False)]
SIZES = st.integers(0, 40) | st.integers(0, 300)
OFFSETS = st.integers(-40, 40) | st.integers(-300, 300) | st.sampled_from([1 << 40, -(1 << 40)])
RANGES = st.tuples(SIZES, SIZES | st.none()).filter(lambda pair: pair[1] is None or pair[0] <= pair[1])
ANY_RANGE = RANGES.map(BytesRange.of) | SIZES.map(lambda size: BytesRange(suffix=size))
_serial = count()


class ReadOracle(RuleBasedStateMachine):
    """One object, opened once, and then used in every way. Subclasses choose the service and the runtime."""

    storage = None
    is_inline = False
    skip_limit = 8

    def __init__(self):
        super().__init__()
        self.loop = None if self.is_inline else asyncio.Runner()
        self.context = Context(runtime=InlineRuntime() if self.is_inline else None)
        self.patch = mock.patch.object(by_range_seekable, "SKIP_LIMIT", self.skip_limit)
        self.patch.start()

    @initialize(
        content=st.binary(max_size=200),
        window=st.just(BytesRange()) | ANY_RANGE,
        chunk=st.none() | st.integers(1, 70),
        concurrent=st.none() | st.integers(1, 5),
        hint=st.none() | st.integers(0, 300),
        is_reader=st.booleans(),
    )
    def open(self, content, window, chunk, concurrent, hint, is_reader):
        if window.start > len(content):
            window = BytesRange(len(content), None if window.end is None else max(window.end, len(content)))
        self.path = f"object-{next(_serial)}"
        self.storage.put(self.path, content)
        self.options = {"range": window, "chunk": chunk, "concurrent": concurrent, "content_length_hint": hint}
        begin, end = window.resolve(len(content))
        self.content = content[begin:end]
        self.is_reader = is_reader
        self.run(self.open_checker())

    async def open_checker(self):
        config, context = self.storage.config, self.context
        if self.is_reader:
            reader = await Operator(config, context=context).reader(self.path, **self.options)
            self.checker = ReaderChecker(reader, self.content)
        else:
            accessor = assemble(config, (), context)
            args = OpRead(**self.options)
            _, body = await open_body(context, PinnedRange(accessor, self.path, args), args)
            self.checker = BodyChecker(body, self.content)

    def run(self, coroutine):
        return run(coroutine) if self.loop is None else self.loop.run(coroutine)

    def do(self, *step, fails=False):
        """Makes the step, and repeats it after each temporary error, which must have left the position."""
        if fails:
            self.storage.fail_next()
        for _ in range(20):
            try:
                self.run(self.checker.check([step]))
            except Unexpected as error:
                if error.message != INJECTED:
                    raise
            else:
                return
        raise AssertionError("the injected errors do not end")

    @rule(n=SIZES, fails=st.booleans())
    def read(self, n, fails):
        self.do("read", n, fails=fails)

    @rule(fails=st.booleans())
    def read_all(self, fails):
        self.do("read", -1, fails=fails)

    @rule(fails=st.booleans())
    def take_next(self, fails):
        self.do("next", fails=fails)

    @rule(offset=OFFSETS, whence=st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]), fails=st.booleans())
    def seek(self, offset, whence, fails):
        self.do("seek", offset, whence, fails=fails)

    @precondition(lambda self: self.is_reader)
    @rule(verb=st.sampled_from(["readinto", "readexactly"]), n=SIZES, fails=st.booleans())
    def read_otherwise(self, verb, n, fails):
        self.do(verb, n, fails=fails)

    @precondition(lambda self: self.is_reader)
    @rule(n=st.integers(1, 50), fails=st.booleans())
    def receive(self, n, fails):
        self.do("receive", n, fails=fails)

    @precondition(lambda self: self.is_reader)
    @rule(fails=st.booleans())
    def size(self, fails):
        self.do("size", fails=fails)

    @precondition(lambda self: self.is_reader)
    @rule(ranges=st.lists(ANY_RANGE, max_size=4), fails=st.booleans())
    def fetch(self, ranges, fails):
        self.do("fetch", ranges, fails=fails)

    @precondition(lambda self: self.is_reader)
    @rule(fails=st.booleans())
    def iterate(self, fails):
        """The end of an iteration, and an error in it, close the reader: then another continues at its position."""
        if fails:
            self.storage.fail_next()
        try:
            goes_on = self.run(self.checker.iterate())
        except Unexpected as error:
            assert error.message == INJECTED
            goes_on = False
        if not goes_on:
            position = self.checker.position
            assert self.checker.reader.tell() == position
            self.run(self.checker.close())
            self.run(self.open_checker())
            self.do("seek", position)

    def teardown(self):
        if hasattr(self, "checker"):
            self.run(self.checker.close())
            self.storage.check_all_closed()
        if self.loop is not None:
            self.loop.close()
        self.patch.stop()


def oracle_over(storage, is_inline):
    real = {"fail_next": lambda: None, "check_all_closed": lambda: None}
    full = SimpleNamespace(**{"config": storage.config, "put": storage.put, **real, **vars(storage)})
    return type("Oracle", (ReadOracle,), {"storage": full, "is_inline": is_inline})


def run_oracle(storage, is_inline, examples):
    budget = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(oracle_over(storage, is_inline), settings=budget)


def synthetic_storage(**has):
    config = Synthetic(**has)

    def check_all_closed():
        assert config.script.open_bodies == 0

    return SimpleNamespace(
        config=config,
        put=lambda path, content: config.script.replace(content),
        fail_next=lambda: config.script.fail_next(Unexpected(INJECTED, is_temporary=True)),
        check_all_closed=check_all_closed,
    )


@pytest.mark.parametrize("is_inline", [False, True], ids=["asyncio", "inline"])
@pytest.mark.parametrize(("read_can_seek", "read_can_next"), CASES)
def test_each_case_of_complete_obeys_the_oracle_whatever_fails(read_can_seek, read_can_next, is_inline):
    storage = synthetic_storage(read_can_seek=read_can_seek, read_can_next=read_can_next)
    run_oracle(storage, is_inline, 150)


@pytest.mark.parametrize("read_with_if_match", [False, True])
def test_a_service_without_suffix_obeys_the_oracle(read_with_if_match):
    storage = synthetic_storage(read_can_seek=False, read_with_suffix=False, read_with_if_match=read_with_if_match)
    run_oracle(storage, is_inline=True, examples=50)


@pytest.mark.parametrize("is_inline", [False, True], ids=["asyncio", "inline"])
@pytest.mark.parametrize("storage", ["fs", "memory"], indirect=True)
def test_local_services_obey_the_oracle(storage, is_inline):
    run_oracle(SimpleNamespace(config=storage.config, put=storage.put), is_inline, 150)


@pytest.mark.parametrize("storage", ["http", "s3"], indirect=True)
def test_network_services_obey_the_oracle(storage):
    run_oracle(SimpleNamespace(config=storage.config, put=storage.put), is_inline=False, examples=25)


@pytest.mark.parametrize("chunk", [None, 4])
async def test_a_window_that_starts_behind_the_end_is_refused_by_every_verb(storage, chunk):
    storage.put("short", b"0123456789")
    for verb in ("read", "receive"):
        reader = await storage.operator.reader("short", range=(11, 20), chunk=chunk)
        with pytest.raises(RangeNotSatisfied) as caught:
            await getattr(reader, verb)()
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == (
            storage.scheme,
            f"reader.{verb}",
            "short",
        )
        assert reader.tell() == 0
        await reader.aclose()
