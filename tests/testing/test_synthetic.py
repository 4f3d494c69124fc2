"""A stack over a service that fails by script, in each case of native verbs."""

import pytest

from entrepot import ConditionNotMatch, ContentIncomplete, ContentTruncated, NotFound, Operator, Unexpected, Unsupported
from entrepot.testing import Synthetic

CONTENT = bytes(range(100))
NO_SEEK = pytest.mark.parametrize("read_can_next", [True, False])


async def test_it_remembers_what_it_was_asked():
    synthetic = Synthetic(CONTENT)
    await Operator(synthetic).read("object", range=(3, 9), if_match='"1"')
    [call] = synthetic.script.calls
    assert (call.operation, call.path, call.args.range.start, call.args.range.end) == ("read", "object", 3, 9)
    assert call.args.if_match == '"1"'
    assert (synthetic.script.opens, synthetic.script.open_bodies) == (1, 0)


async def test_one_of_its_paths_is_missing():
    with pytest.raises(NotFound) as caught:
        await Operator(Synthetic(CONTENT)).read("missing")
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("synthetic", "read", "missing")


@pytest.mark.parametrize("read_can_seek", [True, False])
@NO_SEEK
async def test_it_fails_at_the_verb_it_was_told_and_the_reader_goes_on(read_can_seek, read_can_next):
    synthetic = Synthetic(CONTENT, read_can_seek=read_can_seek, read_can_next=read_can_next)
    synthetic.script.fail(3, Unexpected("reset", is_temporary=True))
    async with Operator(synthetic).reader("object") as reader:
        with pytest.raises(Unexpected) as caught:
            await reader.read()
        assert (caught.value.operation, caught.value.path, reader.tell()) == ("reader.read", "object", 0)
        assert await reader.read() == CONTENT
    assert synthetic.script.open_bodies == 0


@NO_SEEK
@pytest.mark.parametrize("options", [{}, {"chunk": 30, "concurrent": 2}])
async def test_a_body_that_ends_early_is_incomplete_and_can_be_read_on(read_can_next, options):
    synthetic = Synthetic(CONTENT, read_can_seek=False, read_can_next=read_can_next)
    synthetic.script.end_early(1, after=10)
    async with Operator(synthetic).reader("object", **options) as reader:
        with pytest.raises(ContentIncomplete) as caught:
            await reader.read()
        assert caught.value.is_temporary
        assert await reader.read() == CONTENT


@NO_SEEK
@pytest.mark.parametrize("options", [{}, {"range": (0, 50)}, {"chunk": 200}])
async def test_a_body_that_runs_over_is_refused(read_can_next, options):
    synthetic = Synthetic(CONTENT, read_can_seek=False, read_can_next=read_can_next)
    synthetic.script.run_over(1, b"surplus")
    with pytest.raises(ContentTruncated):
        await Operator(synthetic).read("object", **options)
    assert synthetic.script.open_bodies == 0


@NO_SEEK
@pytest.mark.parametrize("read_with_if_match", [True, False])
@pytest.mark.parametrize("options", [{}, {"chunk": 30}])
async def test_an_object_that_is_replaced_meanwhile_is_never_spliced(read_can_next, read_with_if_match, options):
    synthetic = Synthetic(
        CONTENT, read_can_seek=False, read_can_next=read_can_next, read_with_if_match=read_with_if_match
    )
    synthetic.script.replace(CONTENT[::-1], before=2)
    async with Operator(synthetic).reader("object", **options) as reader:
        await reader.read(10)
        await reader.seek(0 if not options else 40)
        with pytest.raises(ConditionNotMatch):
            await reader.read()


@pytest.mark.parametrize("read_can_next", [True, False])
async def test_a_size_that_is_not_told_is_not_made_up(read_can_next):
    synthetic = Synthetic(CONTENT, read_can_seek=False, read_can_next=read_can_next, tells_size=False)
    async with Operator(synthetic).reader("object") as reader:
        with pytest.raises(Unsupported):
            await reader.size()
        assert await reader.read() == CONTENT
    assert await Operator(synthetic).read("object", chunk=30) == CONTENT
