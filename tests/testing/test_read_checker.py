"""The oracle itself: it must be able to fail."""

import os

import pytest

from entrepot import InvalidInput, Operator
from entrepot.raw import oio
from entrepot.services import Memory
from entrepot.testing import TRAPS, BodyChecker, OracleViolation, ReaderChecker

CONTENT = b"0123456789"


class Body(oio.Read):
    """A good body; each subclass has one fault."""

    def __init__(self):
        self.position = 0

    async def read(self, n):
        data = CONTENT[self.position : self.position + n]
        self.position += len(data)
        return data

    async def next(self):
        return await self.read(4) or None

    async def seek(self, offset, whence=0):
        self.position = oio.seek_target(offset, whence, self.position, len(CONTENT))
        return self.position


class EndsEarly(Body):
    async def read(self, n):
        return b"" if self.position >= 8 else await super().read(n)


class GivesOtherBytes(Body):
    async def read(self, n):
        return (await super().read(n)).replace(b"5", b"6")


class GivesMoreThanAsked(Body):
    async def read(self, n):
        return await super().read(n + 1)


class GivesEmptyChunks(Body):
    async def next(self):
        return b""


class MovesOnARefusedSeek(Body):
    async def seek(self, offset, whence=0):
        try:
            return await super().seek(offset, whence)
        except InvalidInput:
            self.position = 0
            raise


class ClampsASeek(Body):
    async def seek(self, offset, whence=0):
        return await super().seek(min(offset, len(CONTENT)), whence)


class AllowsASeekLeftOfTheStart(Body):
    async def seek(self, offset, whence=0):
        return self.position if offset < 0 else await super().seek(offset, whence)


WALK = (
    ("read", 2),
    ("read", 0),
    ("seek", -20, os.SEEK_CUR),
    ("next",),
    ("seek", 30),
    ("next",),
    ("seek", -10, os.SEEK_END),
    *(("read", 3),) * 5,
)


async def test_a_good_body_passes():
    checker = BodyChecker(Body(), CONTENT)
    await checker.check(WALK)
    assert checker.position == len(CONTENT)


@pytest.mark.parametrize("faulty", Body.__subclasses__())
async def test_a_faulty_body_is_found_out(faulty):
    with pytest.raises(OracleViolation):
        await BodyChecker(faulty(), CONTENT).check(WALK)


@pytest.mark.parametrize(
    "step",
    [
        ("read",),
        ("read", 3),
        ("readinto", 3),
        ("readexactly", 3),
        ("receive", 3),
        ("next",),
        ("iterate",),
        ("size",),
        ("fetch", [(0, 3)]),
        ("seek", -4, os.SEEK_END),
    ],
)
async def test_a_reader_with_other_content_is_found_out_by_every_step(step):
    memory = Memory()
    memory.table.put("object", b"other content")
    checker = ReaderChecker(await Operator(memory).reader("object"), CONTENT)
    with pytest.raises(OracleViolation):
        await checker.check([step])
    await checker.close()


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
async def test_the_traps_are_such_that_a_plain_body_passes(trap):
    class Plain(Body):
        async def read(self, n):
            data = trap.expected[self.position : self.position + n]
            self.position += len(data)
            return data

        async def seek(self, offset, whence=0):
            self.position = oio.seek_target(offset, whence, self.position, len(trap.expected))
            return self.position

    checker = BodyChecker(Plain(), trap.expected)
    await checker.check(trap.steps)
    assert checker.position >= 0
