"""Limits the rate of bytes and of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

from entrepot.errors import InvalidInput
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    Operation,
    OpRead,
    OpWrite,
    RpRead,
    WholeRead,
    WholeWrite,
)
from entrepot.raw.per_runtime import PerRuntime
from entrepot.types.numbers import LONGEST, as_number

if TYPE_CHECKING:
    from entrepot.raw.runtime import Local, Runtime

T = TypeVar("T")
Args = TypeVarTuple("Args")

_MOVES_BYTES: Final = frozenset({Operation.READER_READ, Operation.READER_NEXT, Operation.WRITER_WRITE})
_COUNTED: Final = frozenset({
    Operation.STAT, Operation.READ, Operation.WRITE, Operation.CREATE_DIR, Operation.DELETER_CLOSE,
    Operation.LISTER_NEXT, Operation.COPY, Operation.RENAME, Operation.LIST_UPLOADS, Operation.ABORT_UPLOAD,
    Operation.SHARED_UPLOAD, Operation.GET_TAGS, Operation.SET_TAGS,
})  # fmt: skip


class ThrottleLayer(Layer):
    """Limits bytes per second and calls per second with a token bucket each; a call over the limit waits its turn.

    Bytes are counted in reads and writes; a server-side copy moves none. A read is counted when its bytes have arrived,
    and delays the next call. A write larger than the burst waits in proportion to its size. A call that is cancelled
    while it waits is not counted, and no bytes are lost.

    A call is a stat, a reader, a writer, a page of a listing, a batch of deletions and so on, whatever the number of
    its requests: a writer that sends parts is one call, and so is a copy in ranges.

    All operators with the same layer object share its rates on one event loop. The blocking operators of services
    without a loop share another pair of buckets, in all threads.

    Arguments:
        bandwidth: bytes per second, above 0. By default None: no limit.
        burst: bytes that may be moved at once after a pause, above 0; by default one second's worth.
        requests: calls per second, above 0; one second's worth may be made at once. By default None: no limit.

    Raises:
        InvalidInput: an argument cannot work, or there is neither `bandwidth` nor `requests`.
    """

    def __init__(
        self, bandwidth: float | None = None, burst: float | None = None, requests: float | None = None
    ) -> None:
        if bandwidth is None and burst is not None:
            raise InvalidInput("burst needs bandwidth: set it too")
        if bandwidth is None and requests is None:
            raise InvalidInput("ThrottleLayer needs bandwidth, requests, or both")
        self._bytes = None if bandwidth is None else _bucket("bandwidth", bandwidth, burst)
        self._calls = None if requests is None else _bucket("requests", requests)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        runtime = context.runtime
        if self._bytes is not None:
            accessor = _BandwidthAccessor(accessor, self._bytes.on(runtime))
        if self._calls is not None:
            accessor = _RequestsAccessor(accessor, self._calls.on(runtime))
        return accessor


def _bucket(name: str, rate: float, burst: float | None = None) -> PerRuntime[Bucket]:
    rate = as_number(name, rate, above=0)
    capacity = max(rate, 1.0) if burst is None else as_number("burst", burst, above=0)
    return PerRuntime(partial(Bucket, rate, capacity))


class Bucket:
    """A token bucket. A caller that takes more tokens than there are waits until they would have been added.

    Tokens are taken before the wait, so the level may be negative and later callers wait longer: calls proceed in
    order of arrival.

    Arguments:
        rate: tokens added per second.
        capacity: the most tokens it holds, and its first level.
        runtime: the clock and the timer.
    """

    def __init__(self, rate: float, capacity: float, runtime: Runtime) -> None:
        self._rate = rate
        self._capacity = capacity
        self._runtime = runtime
        self._level = capacity
        self._filled_at = runtime.now()
        self._lock = Lock()  # threads share it where the stack has no event loop

    async def take(self, amount: float) -> None:
        """Takes tokens, maybe 0, and waits until the level is no longer negative."""
        level = self.add(-amount)
        if level >= 0:
            return
        try:
            await self._runtime.sleep(min(-level / self._rate, LONGEST))
        except BaseException:
            self.add(amount)
            raise

    def add(self, amount: float) -> float:
        """Adds tokens, or takes them without a wait if negative. Returns the level."""
        with self._lock:
            now = self._runtime.now()
            filled = self._level + (now - self._filled_at) * self._rate
            self._level = min(self._capacity, min(self._capacity, filled) + amount)
            self._filled_at = now
            return self._level


class _ThrottledAccessor(AroundAccessor):
    def __init__(self, inner: Accessor, bucket: Local[Bucket]) -> None:
        super().__init__(inner)
        self._bucket = bucket


class _BandwidthAccessor(_ThrottledAccessor):
    operations = _MOVES_BYTES
    reads_into = True

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        bucket = await self._bucket.get()
        await bucket.take(sum(map(_size, args)) if operation is Operation.WRITER_WRITE else 0)
        result = await call(*args)
        bucket.add(-_size(result))
        return result

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.around(Operation.READER_READ, path, self.inner.read_whole, path, args, described)
        return content if isinstance(content, bytes) else self.around_reader(path, *content)


class _RequestsAccessor(_ThrottledAccessor):
    operations = _COUNTED
    reads_into = True

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        await (await self._bucket.get()).take(1)
        return await call(*args)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.around(Operation.READ, path, self.inner.read_whole, path, args, described)
        return content if isinstance(content, bytes) else self.around_reader(path, *content)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self.around(Operation.WRITE, path, self.inner.write_whole, path, data, args)
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored


def _size(data: object) -> int:
    """The number of bytes of data to write, or of the result of a read: data, or the number itself."""
    if isinstance(data, memoryview):
        return data.nbytes
    if isinstance(data, int):
        return data
    return len(data) if isinstance(data, bytes | bytearray) else 0
