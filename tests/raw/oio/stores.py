"""What the four writers write to in tests: one object each, kept by calls that can fail before or after they worked."""

import asyncio
from collections import deque

from entrepot import Capability, Metadata, Unexpected
from entrepot.raw import OpWrite
from entrepot.raw.oio import (
    AppendWriter,
    MultipartUpload,
    MultipartWriter,
    OneShotWriter,
    Part,
    PartSizes,
    PositionedFile,
    PositionWriter,
)

BUFFER = 10
KINDS = ("one_shot", "multipart", "append", "position")


class Faults:
    """What becomes of each call.

    `None` it works, `"refused"` it fails at once, `"lost"` it works and the reply is lost.

    Arguments:
        fates: one for each call, in the order of the calls; those after the last one work.
        pauses: how often each call lets the loop go on, before and after it works.
        only: the name of the calls that the fates are for; by default all.
    """

    def __init__(self, fates=(), pauses=(), only=None):
        self.fates = deque(fates)
        self.pauses = deque(pauses)
        self.only = only
        self.calls = []
        self.names = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.running = 0

    async def call(self, name, effect, size=0):
        self.calls.append((name, size))
        self.names.append(name)
        is_meant = self.only in (None, name)
        fate = self.fates.popleft() if self.fates and is_meant else None
        pause = self.pauses.popleft() if self.pauses else 0
        self.in_flight += size
        self.running += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(fate, pause, effect)
        finally:
            self.in_flight -= size
            self.running -= 1

    async def _answer(self, fate, pause, effect):
        await self._pause(pause)
        if fate == "refused":
            raise Unexpected("refused", is_temporary=True)
        result = effect()
        await self._pause(pause)
        if fate == "lost":
            raise Unexpected("lost", is_temporary=True)
        return result

    async def _pause(self, times):
        for _ in range(times):
            await asyncio.sleep(0)


class OneShotStore:
    """Takes an object whole."""

    leftovers = ()

    def __init__(self, faults):
        self.faults = faults
        self.content = None

    def writer(self, window):
        return OneShotWriter(self.store)

    async def store(self, content):
        assert type(content) is bytes
        return await self.faults.call("store", lambda: self._put(content), len(content))

    def _put(self, content):
        self.content = content
        return Metadata(etag='"1"')


class MultipartStore(MultipartUpload):
    """Takes an object in parts."""

    def __init__(self, faults, sizes=None):
        self.faults = faults
        self.sizes = sizes or PartSizes(Capability(), OpWrite(chunk=BUFFER))
        self.content = None
        self.uploads = {}
        self.completed = set()
        self.sent = []

    def writer(self, window):
        return MultipartWriter(self, self.sizes, window)

    @property
    def leftovers(self):
        """Uploads that are neither complete nor aborted and whose id was told; one that was not cannot be aborted."""
        return list(self.uploads)

    async def store(self, content):
        assert type(content) is bytes
        return await self.faults.call("store", lambda: self._put(content), len(content))

    async def initiate(self):
        try:
            upload = await self.faults.call("initiate", self._begin)
        except Unexpected:
            self.uploads.clear()
            raise
        return upload

    async def upload_part(self, upload, number, content):
        assert content
        assert all(isinstance(piece, bytes | memoryview) and len(piece) for piece in content)
        content = b"".join(content)

        def effect():
            self.uploads[upload][number] = content
            self.sent.append((number, len(content)))
            return Part(number, f'"{number}"', len(content))

        return await self.faults.call("upload_part", effect, len(content))

    async def complete(self, upload, parts):
        return await self.faults.call("complete", lambda: self._assemble(upload, parts))

    async def abort(self, upload):
        await self.faults.call("abort", lambda: self.uploads.pop(upload, None))

    def _begin(self):
        upload = f"upload-{len(self.faults.calls)}"
        self.uploads[upload] = {}
        return upload

    def _put(self, content):
        self.content = content
        return Metadata(etag='"1"')

    def _assemble(self, upload, parts):
        if upload not in self.completed:
            stored = self.uploads.pop(upload)
            assert [part.number for part in parts] == list(range(1, len(stored) + 1))
            assert [part.size for part in parts] == [len(stored[part.number]) for part in parts]
            self.part_sizes = [part.size for part in parts]
            self.content = b"".join(stored[part.number] for part in parts)
            self.completed.add(upload)
        return Metadata(etag='"2"')


class AppendStore:
    """Takes bytes at the end, and only there."""

    leftovers = ()

    def __init__(self, faults, content=None, buffer=BUFFER):
        self.faults = faults
        self.content = content
        self.buffer = buffer

    def writer(self, window):
        return AppendWriter(self.find_end, self.append, self.buffer)

    async def find_end(self):
        return await self.faults.call("find_end", lambda: len(self.content or b""))

    async def append(self, offset, pieces):
        content = joined(pieces)
        assert len(content) <= self.buffer

        def effect():
            if offset != len(self.content or b""):
                raise Unexpected("that is not the end", is_temporary=True)
            self.content = (self.content or b"") + content
            return Metadata(etag=f'"{len(self.content)}"')

        return await self.faults.call("append", effect, len(content))


class PositionStore(PositionedFile):
    """Takes bytes at a position."""

    def __init__(self, faults):
        self.faults = faults
        self.content = None
        self.hidden = None

    def writer(self, window):
        return PositionWriter(self, BUFFER, window)

    @property
    def leftovers(self):
        return [] if self.hidden is None else [self.hidden]

    async def write_at(self, offset, content):
        data = joined(content)
        await self.faults.call("write_at", lambda: self._put(offset, data), len(data))

    async def publish(self, offset, content):
        data = joined(content)
        assert self.faults.running == 0

        def effect():
            self._put(offset, data)
            self.content = bytes(self.hidden)
            return Metadata(etag='"1"')

        return await self.faults.call("publish", effect, len(data))

    async def abort(self):
        assert self.faults.running == 0
        await self.faults.call("abort", lambda: setattr(self, "hidden", None))

    def _put(self, offset, data):
        self.hidden = self.hidden if self.hidden is not None else bytearray()
        end = offset + len(data)
        self.hidden.extend(bytes(max(0, end - len(self.hidden))))
        self.hidden[offset:end] = data


def joined(pieces):
    assert all(type(piece) is bytes and piece for piece in pieces)
    return b"".join(pieces)


STORES = dict(zip(KINDS, (OneShotStore, MultipartStore, AppendStore, PositionStore), strict=True))
