"""Makes calls again that failed for the moment."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, TypeVarTuple

from entrepot.errors import DeletionsFailed, Error, InvalidInput, RateLimited
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, OpCopy, Operation, OpWrite, RpCopy, RpWrite, oio
from entrepot.raw.log import INFO, log
from entrepot.types.numbers import as_integer, as_number, as_seconds
from entrepot.types.shown import shown

T = TypeVar("T")
Args = TypeVarTuple("Args")

RETRY_AFTER_LIMIT: Final = 60.0
"""The longest wait, in seconds, that a storage may ask for. Where it asks for more, the error is raised at once."""

THROTTLED_DELAY: Final = 1.0
"""The first delay, in seconds, after `RateLimited`, unless `min_delay` is more or `max_delay` is less."""

TRANSIENT_COST: Final = 14
"""What a retry takes from the budget."""

THROTTLED_COST: Final = 5
"""What it takes after `RateLimited`: a storage that says so is well."""

_UNASKED: Final = frozenset({
    Operation.READ, Operation.READER_SEEK, Operation.READER_CLOSE, Operation.WRITE, Operation.DELETE,
    Operation.LIST, Operation.LISTER_CLOSE, Operation.PRESIGN,
})  # fmt: skip
"""Calls that ask the storage nothing, so that their success says nothing of its health."""

_ONCE: Final = frozenset({Operation.RENAME})
_ONCE_IF_CONDITIONAL: Final = _ONCE | {Operation.COPY, Operation.WRITER_CLOSE}
_ONCE_IF_APPENDING: Final = _ONCE | {Operation.WRITER_WRITE, Operation.WRITER_CLOSE}

_UNAVAILABLE: Final = 503
_CLIENT_GONE: Final = 499


class RetryEvent(NamedTuple):
    """A call that failed and will be made again.

    Arguments:
        operation: what was called, such as `"reader.read"`.
        path: the path that it is about; empty for a deleter as a whole.
        error: what it failed with.
        attempt: how many times it was made so far.
        delay: in how many seconds it is made again.
    """

    operation: str
    path: str
    error: Error
    attempt: int
    delay: float


@dataclass(frozen=True, eq=False)
class RetryLayer(Layer):
    """Makes a call again that failed with a temporary error, after a delay that grows and is random.

    What is made again is one operation or one verb of a body, and never more: a reader goes on at its position, a
    writer sends the part again that failed, a listing asks for the same page, a deleter deletes what is left. A
    call that may have taken effect although its reply was lost, and that would do something else the second time,
    is made again only when the storage has surely refused it: `rename`, `copy` and the end of a write with a
    condition, and what is appended.

    The error that is raised in the end is that of the last attempt, with the number of `attempts` in its context.
    A storage that asks for a delay (Retry-After) is given it, on top of our own, up to 60 s: where it asks for
    more, or for more than `max_elapsed` leaves, the error is raised at once.

    All that this object wraps shares one budget of tokens, so that a storage that is sick is not stormed. A retry
    costs 14, or 5 after `RateLimited`, and each success of a call that asks the storage gives 1 back. What is not
    affordable is not tried again. A copy of the layer in another process has a budget of its own.

    Arguments:
        max_times: how many times a call is made again at most.
        min_delay: the delay before the first time, in seconds, before chance shortens it; 1 second after `RateLimited`.
            With 0 there are no delays but after that.
        max_delay: the most seconds that we wait unasked.
        factor: how many times longer each delay is than the one before.
        jitter: whether a delay is anything between 0 and its length, by chance, so that clients that failed
            together do not come back together.
        max_elapsed: no attempt begins so many seconds after the first one of the same call; None is no limit.
        budget: how many tokens there are; None is any number.
        notify: a plain function that is called with a `RetryEvent` before each delay. What it raises ends the call.
            Keep names and numbers of an event, not the event: its error holds on to what was being sent.

    Raises:
        InvalidInput: a value cannot work.
    """

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
        object.__setattr__(self, "_random", random.random)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _RetryAccessor(accessor, _Policy(self, self._tokens, self._random), context)

    def __reduce__(self) -> tuple[Any, ...]:
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return partial(type(self), **said), ()

    def _check(self) -> None:
        as_integer("max_times", self.max_times, 1)
        as_seconds("min_delay", self.min_delay, least=0)
        if as_seconds("max_delay", self.max_delay, least=0) < self.min_delay:
            raise InvalidInput(f"max_delay is at least min_delay ({self.min_delay}), so not {self.max_delay}")
        as_number("factor", self.factor, least=1)
        if not isinstance(self.jitter, bool):
            raise InvalidInput(f"jitter is True or False, not {shown(self.jitter)}")
        if self.max_elapsed is not None:
            as_seconds("max_elapsed", self.max_elapsed, above=0)
        if self.budget is not None:
            as_integer("budget", self.budget, TRANSIENT_COST)
        if self.notify is not None and not callable(self.notify):
            raise InvalidInput(f"notify is a function, not {shown(self.notify)}")


class _Tokens:
    """A budget. Threads that change it in the same moment may miscount by a token, and nothing worse.

    It has no lock, for a child that was forked while one is held would wait for ever.
    """

    __slots__ = ("_left", "_most")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._left = most or 0

    def take(self, cost: int) -> bool:
        if self._most is None:
            return True
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def give_one(self) -> None:
        if self._most is not None and self._left < self._most:
            self._left += 1


class _Policy:
    """When a call is made again, as far as the error, the time and the budget say."""

    __slots__ = ("_layer", "_random", "_tokens", "is_timed", "notify", "refund")

    def __init__(self, layer: RetryLayer, tokens: _Tokens, chance: Callable[[], float]) -> None:
        self._layer = layer
        self._tokens = tokens
        self._random = chance
        self.is_timed = layer.max_elapsed is not None
        self.notify = layer.notify
        self.refund = tokens.give_one

    def delay(self, error: Error, attempt: int, elapsed: float) -> float | None:
        """How many seconds to wait after that many attempts, the last of which failed so; None is for ever."""
        asked = _asked_delay(error)
        if attempt > self._layer.max_times or asked > RETRY_AFTER_LIMIT:
            return None
        delay = self._own_delay(error, attempt) + asked
        if self._layer.max_elapsed is not None and elapsed + delay >= self._layer.max_elapsed:
            return None
        return delay if self._tokens.take(THROTTLED_COST if _is_throttled(error) else TRANSIENT_COST) else None

    def _own_delay(self, error: Error, attempt: int) -> float:
        first = max(self._layer.min_delay, THROTTLED_DELAY) if _is_throttled(error) else self._layer.min_delay
        longest = min(self._layer.max_delay, first)
        for _ in range(attempt - 1):
            longest = min(self._layer.max_delay, longest * self._layer.factor)
        return longest * self._random() if self._layer.jitter else longest


class _RepeatingAccessor(AroundAccessor):
    """Makes calls again.

    Arguments:
        inner: what is wrapped.
        policy: says when.
        context: waits.
        once: calls that are made again only when they have surely taken no effect.
    """

    def __init__(self, inner: Accessor, policy: _Policy, context: Context, once: frozenset[Operation]) -> None:
        super().__init__(inner)
        self._policy = policy
        self._context = context
        self._once = once

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        begun = self._context.runtime.now() if self._policy.is_timed else 0.0
        attempt = 0
        while True:
            attempt += 1
            try:
                result = await call(*args)
            except Error as error:
                elapsed = self._context.runtime.now() - begun if self._policy.is_timed else 0.0
                delay = self._delay(operation, error, attempt, elapsed)
                if delay is None:
                    raise
                self._tell(RetryEvent(operation.value, path, error, attempt, delay))
            else:
                if operation not in _UNASKED:
                    self._policy.refund()
                return result
            await self._context.runtime.sleep(delay)

    def _delay(self, operation: Operation, error: Error, attempt: int, elapsed: float) -> float | None:
        """How many seconds to wait for the next attempt; None where there is none, and then the error tells."""
        is_passing, delay = _may_pass(error), None
        if is_passing and operation in self._once and not _is_refusal(error):
            error.context["may_have_taken_effect"] = True
        elif is_passing:
            delay = self._policy.delay(error, attempt, elapsed)
        if delay is None and (is_passing or attempt > 1):
            error.context["attempts"] = attempt
        return delay

    def _tell(self, event: RetryEvent) -> None:
        _log_info(event, self.info.scheme)
        if self._policy.notify is not None:
            self._policy.notify(event)


class _RetryAccessor(_RepeatingAccessor):
    def __init__(self, inner: Accessor, policy: _Policy, context: Context) -> None:
        super().__init__(inner, policy, context, _ONCE)
        self._conditional = _RepeatingAccessor(inner, policy, context, _ONCE_IF_CONDITIONAL)
        self._appending = _RepeatingAccessor(inner, policy, context, _ONCE_IF_APPENDING)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        if args.append:
            return await self._appending.write(path, args)
        if args.if_not_exists or args.if_match is not None or args.if_none_match is not None:
            return await self._conditional.write(path, args)
        return await super().write(path, args)

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        if args.if_not_exists or args.if_match is not None:
            return await self._conditional.copy(source, target, args)
        return await super().copy(source, target, args)


def _causes(error: Error) -> tuple[Error, ...]:
    """The errors that an error stands for."""
    return error.failures if isinstance(error, DeletionsFailed) else (error,)


def _may_pass(error: Error) -> bool:
    return error.is_temporary or any(cause.is_temporary for cause in _causes(error))


def _is_throttled(error: Error) -> bool:
    return any(isinstance(cause, RateLimited) for cause in _causes(error))


def _asked_delay(error: Error) -> float:
    """How many seconds the storage wants to be left alone, as far as an error or one of its causes says."""
    told = (one.context.get("retry_after") for one in (error, *_causes(error)))
    return max((seconds for seconds in told if isinstance(seconds, int | float) and seconds > 0), default=0.0)


def _is_refusal(error: Error) -> bool:
    """Whether the storage said that it did not do what it was asked. No reply, and most of 5xx, may mean that it did.

    The source is RFC 9110, 15.5 and 15.6.4; 499 is what some proxies say when it was the client that went.
    """
    if isinstance(error, RateLimited):
        return True
    status = error.context.get("status")
    return isinstance(status, int) and (status == _UNAVAILABLE or (400 <= status < 500 and status != _CLIENT_GONE))


def _log_info(event: RetryEvent, scheme: str) -> None:
    error = event.error
    log(
        INFO,
        "%s %s %r failed in attempt %d and is made again in %.3f s: %s: %s",
        *(scheme, event.operation, event.path, event.attempt, event.delay, error.kind, error.message),
    )
