"""The sequences that broke readers before: on every service, on readers and on bodies, whole and in chunks."""

import pytest

from entrepot import Operator
from entrepot.facade.reader import open_body
from entrepot.facade.stack import assemble
from entrepot.raw import Context, OpRead
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.runtime.inline import InlineRuntime, run
from entrepot.testing import TRAPS, BodyChecker, ReaderChecker, Synthetic

CHUNKINGS = [(None, None), (1, 1), (3, 2), (64, 8)]
EVERY_TRAP = pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)


async def walk_into(trap, config, context, chunk, concurrent):
    reader = await Operator(config, context=context).reader(
        "trap", range=trap.range, chunk=chunk, concurrent=concurrent
    )
    await ReaderChecker(reader, trap.expected).check((*trap.steps, ("close",)))

    args = OpRead(range=trap.range, chunk=chunk, concurrent=concurrent)
    _, body = await open_body(context, PinnedRange(assemble(config, (), context), "trap", args), args)
    await BodyChecker(body, trap.expected).check((*trap.steps, ("close",)))


@EVERY_TRAP
async def test_every_service_passes(storage, trap):
    storage.put("trap", trap.content)
    context = Context()
    for chunk, concurrent in CHUNKINGS:
        await walk_into(trap, storage.config, context, chunk, concurrent)


@EVERY_TRAP
@pytest.mark.parametrize("storage", ["fs", "memory"], indirect=True)
def test_local_services_pass_without_a_loop(storage, trap):
    storage.put("trap", trap.content)
    context = Context(runtime=InlineRuntime())
    for chunk, concurrent in CHUNKINGS:
        run(walk_into(trap, storage.config, context, chunk, concurrent))


@EVERY_TRAP
@pytest.mark.parametrize("read_with_suffix", [True, False])
@pytest.mark.parametrize("read_can_next", [True, False])
@pytest.mark.parametrize("read_can_seek", [True, False])
def test_every_case_of_complete_passes_and_leaves_no_body_open(trap, read_can_seek, read_can_next, read_with_suffix):
    synthetic = Synthetic(
        trap.content, read_can_seek=read_can_seek, read_can_next=read_can_next, read_with_suffix=read_with_suffix
    )
    context = Context(runtime=InlineRuntime())
    for chunk, concurrent in CHUNKINGS:
        run(walk_into(trap, synthetic, context, chunk, concurrent))
    assert synthetic.script.open_bodies == 0
