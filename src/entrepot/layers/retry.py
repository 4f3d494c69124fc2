"""Retries calls that failed with a temporary error.

Theory of operation. One retry is one call of an operation or of one verb of a body, made again with the same arguments
in the caller's task. That is enough because bodies move only after success: the same verb of a reader, writer, lister,
deleter or copier goes on at the same position. `_Policy` decides whether and when: by the number of attempts, the
elapsed time, the storage's Retry-After and a budget of tokens shared by every stack of one layer. Calls that may have
taken effect although their response was lost, and that would do something else the second time (`_ONCE*`, and errors of
a copier that say so), are made again only after a response that says the storage refused them. A cancellation ends the
call or the delay and is not retried.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, TypeVarTuple

from entrepot.errors import DeletionsFailed, Error, InvalidInput, RateLimited
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    OpCopy,
    Operation,
    OpRead,
    OpWrite,
    RpCopy,
    RpRead,
    RpWrite,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.effects import is_refusal
from entrepot.raw.layered import Coro
from entrepot.raw.log import INFO, log
from entrepot.types import Metadata
from entrepot.types.numbers import as_integer, as_number, as_seconds
from entrepot.types.shown import shown

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

T = TypeVar("T")
Args = TypeVarTuple("Args")

RETRY_AFTER_LIMIT: Final = 60.0
"""The longest Retry-After, in seconds, that is honoured. After a longer one the error is raised at once."""

THROTTLED_DELAY: Final = 1.0
"""The first delay, in seconds, after `RateLimited`, unless `min_delay` is more or `max_delay` is less."""

TRANSIENT_COST: Final = 14
"""The tokens that a retry takes from the budget."""

THROTTLED_COST: Final = 5
"""The tokens that a retry takes after `RateLimited`: a storage that answers so is healthy."""

_WITHOUT_REQUEST: Final = frozenset({
    Operation.READ, Operation.READER_SEEK, Operation.READER_CLOSE, Operation.WRITE, Operation.DELETE,
    Operation.LIST, Operation.LISTER_CLOSE, Operation.COPY, Operation.PRESIGN,
})  # fmt: skip
"""Calls that send nothing, so that their success is no sign of the storage's health."""

_ONCE: Final = frozenset({Operation.RENAME})
_ONCE_IF_CONDITIONAL: Final = _ONCE | {Operation.COPIER_CLOSE, Operation.WRITER_CLOSE}
_ONCE_IF_APPENDING: Final = _ONCE | {Operation.WRITER_WRITE, Operation.WRITER_CLOSE}

_UNSURE: Final = "may_have_taken_effect"


class RetryEvent(NamedTuple):
    """A call that failed and will be retried.

    Arguments:
        operation: the call, such as `"reader.read"`.
        path: its path; empty for a deleter as a whole.
        error: the error of this attempt.
        attempt: the number of attempts so far.
        delay: seconds until the next attempt.
    """

    operation: str
    path: str
    error: Error
    attempt: int
    delay: float


@dataclass(frozen=True, eq=False, slots=True)
class RetryLayer(Layer):
    """Retries a call that failed with a temporary error, with exponential backoff and jitter.

    A retry repeats one operation or one verb of a body, never more: a reader continues at its position, a writer sends
    the failed part again, a listing requests the same page, a deleter deletes the rest, and a copy in ranges copies the
    failed ranges again. Some calls may have taken effect although their response was lost, and would do something else
    the second time: `rename`, the end of a write or a copy with a condition, and appends. These are retried only after
    the storage refused them.

    The error of the last attempt is raised, with the number of `attempts` in its context. A delay that the storage
    requests (Retry-After) is added to our own, up to 60 s. If it requests more, or more than `max_elapsed` leaves, the
    error is raised at once.

    Every stack that this object wraps shares one budget of tokens, so that retries do not overload a storage that
    fails. A retry costs 14 tokens, or 5 after `RateLimited`, and each successful request returns 1. Without enough
    tokens the error is raised. A copy of the layer in another process has its own budget.

    Arguments:
        max_times: the most retries of one call.
        min_delay: the first delay in seconds, before jitter; at least 1 second after `RateLimited`. With 0 there are
            no delays except after `RateLimited`.
        max_delay: the longest delay in seconds, apart from Retry-After.
        factor: the ratio of each delay to the previous one.
        jitter: whether a delay is random between 0 and its length, so that clients that failed together do not retry
            together.
        max_elapsed: seconds after the first attempt of a call beyond which no attempt starts; None is no limit.
        budget: the number of tokens; None is no limit.
        notify: a plain function, called with a `RetryEvent` before each delay. An exception that it raises ends the
            call. Keep names and numbers of an event, not the event: its error refers to the data being sent.

    Raises:
        InvalidInput: a value cannot work.
    """

    WORKS_WITHOUT_LOOP = True

    max_times: int = 3
    min_delay: float = 0.05
    max_delay: float = 20.0
    factor: float = 2.0
    jitter: bool = True
    max_elapsed: float | None = None
    budget: int | None = 500
    notify: Callable[[RetryEvent], object] | None = None
    _tokens: _Tokens = field(init=False, repr=False)
    _random: Callable[[], float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "_tokens", _Tokens(self.budget))
        object.__setattr__(self, "_random", _fraction)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _RetryAccessor(accessor, _Policy(self, self._tokens, self._random), context)

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {argument.name: getattr(self, argument.name) for argument in fields(self) if argument.init}
        return partial(type(self), **arguments), ()

    def _check(self) -> None:
        as_integer("max_times", self.max_times, 1)
        as_seconds("min_delay", self.min_delay, least=0)
        if as_seconds("max_delay", self.max_delay, least=0) < self.min_delay:
            raise InvalidInput(f"max_delay is at least min_delay ({self.min_delay}), so not {self.max_delay}")
        as_number("factor", self.factor, least=1)
        if not isinstance(self.jitter, bool):
            raise InvalidInput(f"jitter must be True or False, not {shown(self.jitter)}")
        if self.max_elapsed is not None:
            as_seconds("max_elapsed", self.max_elapsed, above=0)
        if self.budget is not None:
            as_integer("budget", self.budget, TRANSIENT_COST)
        if self.notify is not None and not callable(self.notify):
            raise InvalidInput(f"notify is a function, not {shown(self.notify)}")


def _fraction() -> float:
    """A random number from 0 to 1. Importing `random` for it takes a hundredth of a first request."""
    return int.from_bytes(os.urandom(4)) / 2**32


class _Tokens:
    """The budget. Threads that change it at the same time may miscount by one token.

    It has no lock: a child process forked while another thread holds one would deadlock.
    """

    __slots__ = ("_left", "_most", "is_full")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._left = most or 0
        self.is_full = True

    def take(self, cost: int) -> bool:
        if self._most is None:
            return True
        if self._left < cost:
            return False
        self._left -= cost
        self.is_full = False
        return True

    def refund(self, tokens: int = 1) -> None:
        if self._most is not None and self._left < self._most:
            self._left = min(self._left + tokens, self._most)
            self.is_full = self._left == self._most


class _Policy:
    """Decides whether and when a call is retried, by the error, the time and the budget."""

    __slots__ = ("_layer", "_random", "is_timed", "notify", "tokens")

    def __init__(self, layer: RetryLayer, tokens: _Tokens, chance: Callable[[], float]) -> None:
        self._layer = layer
        self._random = chance
        self.is_timed = layer.max_elapsed is not None
        self.notify = layer.notify
        self.tokens = tokens

    def delay(self, error: Error, attempt: int, elapsed: float) -> float | None:
        """The delay in seconds after an attempt that failed with the error; None if there is no further attempt."""
        requested = _requested_delay(error)
        if attempt > self._layer.max_times or requested > RETRY_AFTER_LIMIT:
            return None
        delay = self._backoff(error, attempt) + requested
        if self._layer.max_elapsed is not None and elapsed + delay >= self._layer.max_elapsed:
            return None
        return delay if self.tokens.take(THROTTLED_COST if _is_throttled(error) else TRANSIENT_COST) else None

    def _backoff(self, error: Error, attempt: int) -> float:
        first = max(self._layer.min_delay, THROTTLED_DELAY) if _is_throttled(error) else self._layer.min_delay
        longest = min(self._layer.max_delay, first)
        for _ in range(attempt - 1):
            longest = min(self._layer.max_delay, longest * self._layer.factor)
        return longest * self._random() if self._layer.jitter else longest


class _RepeatingAccessor(AroundAccessor):
    """Retries calls.

    Arguments:
        inner: the wrapped accessor.
        policy: decides when.
        context: has the clock and the timer.
        once: calls that are retried only if they certainly had no effect.
    """

    reads_into = True

    def __init__(self, inner: Accessor, policy: _Policy, context: Context, once: frozenset[Operation]) -> None:
        super().__init__(inner)
        self._policy = policy
        self._tokens = policy.tokens
        self._context = context
        self._once = once
        # The time, if the policy needs it; otherwise 0.0, which this returns without a call of Python.
        self._now: Callable[[], float] = context.runtime.now if policy.is_timed else float

    def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> Coro[T]:
        return self._attempts(0, self._now(), operation, path, call, *args)

    async def _attempts(
        self,
        made: int,
        started: float,
        operation: Operation,
        path: str,
        call: Callable[[*Args], Awaitable[T]],
        *args: *Args,
    ) -> T:
        """Makes the call until it succeeds or is not retried.

        Arguments:
            made: how many attempts were made already.
            started: when the first of them started.
            operation: see `around`, as for the rest.
            path: the path of the call.
            call: the inner accessor's or body's bound method.
            args: all of its arguments.
        """
        while True:
            made += 1
            try:
                result = await call(*args)
            except Error as error:
                delay = self._delay(operation, path, error, made, started)
                if delay is None:
                    raise
            else:
                if not self._tokens.is_full and operation not in _WITHOUT_REQUEST:
                    self._tokens.refund()
                return result
            await self._context.runtime.sleep(delay)

    def _delay(self, operation: Operation, path: str, error: Error, attempt: int, started: float) -> float | None:
        """The delay in seconds before the next attempt, which is reported; None if there is none.

        The error's context then says why.
        """
        is_transient, delay = _is_transient(error), None
        is_once = operation in self._once or (is_transient and error.context.pop(_UNSURE, False))
        if is_transient and is_once and not is_refusal(error):
            error.context[_UNSURE] = True
        elif is_transient:
            delay = self._policy.delay(error, attempt, self._now() - started)
        if delay is not None:
            self._report(RetryEvent(operation.value, path, error, attempt, delay))
        elif is_transient or attempt > 1:
            error.context["attempts"] = attempt
        return delay

    def _report(self, event: RetryEvent) -> None:
        _log_info(event, self.info.scheme)
        if self._policy.notify is not None:
            self._policy.notify(event)


class _RetryAccessor(_RepeatingAccessor):
    def __init__(self, inner: Accessor, policy: _Policy, context: Context) -> None:
        super().__init__(inner, policy, context, _ONCE)
        self._conditional = _RepeatingAccessor(inner, policy, context, _ONCE_IF_CONDITIONAL)
        self._appending = _RepeatingAccessor(inner, policy, context, _ONCE_IF_APPENDING)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        started = self._now()
        try:  # the first attempt as in `around`, which would be one more coroutine of each small read
            content = await self.inner.read_whole(path, args, described)
        except Error as error:
            delay = self._delay(Operation.READ, path, error, 1, started)
            if delay is None:
                raise
        else:
            if isinstance(content, bytes) and self._tokens.is_full:  # most reads
                return content
            return self._read_result(path, content)
        await self._context.runtime.sleep(delay)
        content = await self._attempts(1, started, Operation.READ, path, self.inner.read_whole, path, args, described)
        return self._read_result(path, content)

    def _read_result(self, path: str, content: WholeRead) -> WholeRead:
        if isinstance(content, bytes):
            self._tokens.refund()
            return content
        return self.around_reader(path, *content)

    def write(self, path: str, args: OpWrite) -> Coro[tuple[RpWrite, oio.Write]]:
        return AroundAccessor.write(self._for_write(args), path, args)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        started = self._now()
        try:  # the first attempt, as in `read_whole`
            stored = await self.inner.write_whole(path, data, args)
        except Error as error:
            delay = self._delay(Operation.WRITE, path, error, 1, started)
            if delay is None:
                raise
        else:
            if isinstance(stored, Metadata) and self._tokens.is_full:  # most writes
                return stored
            return self._write_result(path, args, stored)
        await self._context.runtime.sleep(delay)
        stored = await self._attempts(1, started, Operation.WRITE, path, self.inner.write_whole, path, data, args)
        return self._write_result(path, args, stored)

    def _write_result(self, path: str, args: OpWrite, stored: WholeWrite) -> WholeWrite:
        if isinstance(stored, tuple):
            return self._for_write(args).around_writer(path, *stored)
        self._tokens.refund(2)  # for the write and the close of a body
        return stored

    def _for_write(self, args: OpWrite) -> _RepeatingAccessor:
        if args.append:
            return self._appending
        is_conditional = args.if_not_exists or args.if_match is not None or args.if_none_match is not None
        return self._conditional if is_conditional else self

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        if args.if_not_exists or args.if_match is not None:
            return await self._conditional.copy(source, target, args)
        return await super().copy(source, target, args)


def _causes(error: Error) -> tuple[Error, ...]:
    """The individual errors of a batch, or the error itself."""
    return error.failures if isinstance(error, DeletionsFailed) else (error,)


def _is_transient(error: Error) -> bool:
    return error.is_temporary or any(cause.is_temporary for cause in _causes(error))


def _is_throttled(error: Error) -> bool:
    return any(isinstance(cause, RateLimited) for cause in _causes(error))


def _requested_delay(error: Error) -> float:
    """The longest Retry-After, in seconds, of an error and its causes; 0 without one."""
    delays = (cause.context.get("retry_after") for cause in (error, *_causes(error)))
    return max((seconds for seconds in delays if isinstance(seconds, int | float) and seconds > 0), default=0.0)


def _log_info(event: RetryEvent, scheme: str) -> None:
    error = event.error
    log(
        INFO,
        "%s %s %r failed in attempt %d and is retried in %.3f s: %s: %s",
        *(scheme, event.operation, event.path, event.attempt, event.delay, error.kind, error.message),
    )
