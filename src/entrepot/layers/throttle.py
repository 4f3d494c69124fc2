"""Limits how fast bytes are moved and calls are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, Operation
from entrepot.raw.per_runtime import PerRuntime
from entrepot.types.numbers import LONGEST, as_number

if TYPE_CHECKING:
    from entrepot.raw.runtime import Local, Runtime

T = TypeVar("T")
Args = TypeVarTuple("Args")

_MOVES_BYTES: Final = frozenset({Operation.READER_READ, Operation.READER_NEXT, Operation.WRITER_WRITE})
_ASKS: Final = frozenset({
    Operation.STAT, Operation.READ, Operation.WRITE, Operation.CREATE_DIR, Operation.DELETER_CLOSE,
    Operation.LISTER_NEXT, Operation.COPY, Operation.RENAME, Operation.LIST_UPLOADS, Operation.ABORT_UPLOAD,
})  # fmt: skip


class ThrottleLayer(Layer):
    """Moves so many bytes a second, and makes so many calls, on the average; what is too early waits its turn.

    Bytes are counted where they are read and written; a copy within the storage moves none. What is read is counted
    when it has come, and delays the call after it. A write that is larger than the burst waits in proportion.
    A call that is cancelled while it waits counts for nothing, and no bytes are lost.

    A call is a stat, a reader, a writer, a page of a listing, a batch of deletions and so on, however many requests
    the service makes of it: a writer that sends parts is one.

    All operators that are made with one layer share its rates, on each event loop; the blocking operators of
    services without a loop share others, in all threads.

    Arguments:
        bandwidth: bytes a second, above 0. By default None: no limit.
        burst: how many bytes may be moved at once after a pause, above 0; by default those of one second.
        requests: calls a second, above 0, of which those of one second may be made at once. By default None: no limit.

    Raises:
        InvalidInput: an argument cannot work, or there is neither `bandwidth` nor `requests`.
    """

    def __init__(
        self, bandwidth: float | None = None, burst: float | None = None, requests: float | None = None
    ) -> None:
        if bandwidth is None and burst is not None:
            raise InvalidInput("burst is one of bandwidth, which is not given")
        if bandwidth is None and requests is None:
            raise InvalidInput("bandwidth or requests is needed, for there is nothing to limit otherwise")
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
    """Fills with so much a second. Whoever takes more than there is waits until it would be there.

    What is taken is taken at once, before the wait, so that those who come later wait for longer: each has its turn in
    the order in which they came.

    Arguments:
        rate: how much it fills with in a second.
        capacity: how much it holds, and has at first.
        runtime: tells the time, and waits.
    """

    def __init__(self, rate: float, capacity: float, runtime: Runtime) -> None:
        self._rate = rate
        self._capacity = capacity
        self._runtime = runtime
        self._level = capacity
        self._filled_at = runtime.now()
        self._lock = Lock()  # without a loop it is shared by threads

    async def take(self, amount: float) -> None:
        """Takes so much, perhaps nothing, and waits until all that was taken so far is paid."""
        level = self.add(-amount)
        if level >= 0:
            return
        try:
            await self._runtime.sleep(min(-level / self._rate, LONGEST))
        except BaseException:
            self.add(amount)
            raise

    def add(self, amount: float) -> float:
        """Puts so much in, or takes it without a wait where it is negative. Returns what there is now."""
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

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        bucket = await self._bucket.get()
        await bucket.take(sum(map(_size, args)))
        answer = await call(*args)
        bucket.add(-_size(answer))
        return answer


class _RequestsAccessor(_ThrottledAccessor):
    operations = _ASKS

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        await (await self._bucket.get()).take(1)
        return await call(*args)


def _size(data: object) -> int:
    """How many bytes an argument or an answer moves: data that is written, or that was read."""
    if isinstance(data, memoryview):
        return data.nbytes
    return len(data) if isinstance(data, bytes | bytearray) else 0
