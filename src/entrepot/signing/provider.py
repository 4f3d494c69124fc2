"""Credentials that expire: where they come from, and the cache that renews them.

Theory of operation. A `Provider` loads credentials from one source. A `CredentialCache` holds the last ones and loads
others in three cases:

- *Ahead of time*, from 15 minutes before they expire. One caller loads, and the others go on with the old ones. If the
  load fails, that caller goes on with the old ones too, and the next load is a minute later.
- *Required*, from 10 minutes before they expire. All callers wait for the load, and raise its error if it fails.
- *Refused*: the server did not accept them. The callers whose requests were refused wait for one load.

Credentials that live five minutes would be in the second case from the start, so both times are at most a part of the
life that is left when they are loaded. If the clock was set back since then, as the Date of a storage can do, both
times are wrong, and others are loaded as if it were ahead of time. A source may return credentials that have expired,
as the metadata service of a cloud does while it has a fault. They are used for a minute, and the server decides.

All event loops and threads share one value, which is replaced as a whole. At most one load runs on each event loop, or
in a process without loops. A caller that waited for a load which failed raises the same error and does not load again;
if the caller that loads is cancelled, the next one loads. A forked child keeps the credentials and has its own lock.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from datetime import datetime
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from math import inf
from time import time
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from entrepot.errors import ConfigInvalid, Error, Unexpected
from entrepot.raw.log import WARNING, log
from entrepot.raw.runtime import Runtime
from entrepot.raw.turn import Turn

AHEAD_SECONDS: Final = 15 * 60.0
"""How long before they expire credentials are refreshed, while the old ones are still used."""

REQUIRED_SECONDS: Final = 10 * 60.0
"""How long before they expire credentials are not used any more."""

PAUSE_SECONDS: Final = 60.0
"""How long after an attempt to refresh ahead of time the next one is made."""

_AHEAD_OF_LIFE: Final = 1 / 2
_REQUIRED_OF_LIFE: Final = 1 / 3


class Expiring(Protocol):
    """A value that may expire.

    Attributes:
        expires_at: the time of expiry, with a time zone; None if it does not expire or the source does not say when.
    """

    @property
    def expires_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Expiring)
T_co = TypeVar("T_co", bound=Expiring, covariant=True)


class Provider(Protocol[T_co]):
    """A source of credentials."""

    async def load(self) -> T_co:
        """Gets credentials from the source. It keeps none: `CredentialCache` does.

        Raises:
            Error: the source has none, or cannot be reached. Temporary if the same call may succeed later.
        """
        ...


class FixedProvider(Generic[T]):
    """A provider of credentials that are known and never change.

    Arguments:
        value: the credentials.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    async def load(self) -> T:
        return self._value


class CallableProvider(Generic[T]):
    """A provider of what a function returns.

    Arguments:
        call: a function without arguments that returns credentials, or a coroutine function. A plain function is called
            in a thread, so it may block.
        kind: the class of the credentials.
        runtime: has the thread.
    """

    __slots__ = ("_call", "_kind", "_runtime")

    def __init__(self, call: Callable[[], T | Awaitable[T]], kind: type[T], runtime: Runtime) -> None:
        self._call = call
        self._kind = kind
        self._runtime = runtime

    async def load(self) -> T:
        """Calls the function.

        Raises:
            ConfigInvalid: it returned something else.
            Unexpected: it raised an error that is not one of entrepot, which is the cause. Temporary for an `OSError`.
            Error: it raised this error.
        """
        try:
            value = await self._called()
        except Error:
            raise
        except Exception as error:
            message = f"the function that returns credentials failed with {type(error).__name__}"
            raise Unexpected(message, is_temporary=isinstance(error, OSError)) from error
        if not isinstance(value, self._kind):
            raise ConfigInvalid(f"credentials must return {self._kind.__name__}, not {type(value).__name__}")
        return value

    async def _called(self) -> object:
        if _is_async(self._call):
            returned: Any = self._call()
        else:
            returned = await self._runtime.blocking_long(self._call)
        return await returned if isawaitable(returned) else returned


def check_source(source: object, kind: type[T]) -> None:
    """Passes if `provider_of` accepts this.

    Raises:
        ConfigInvalid: it does not.
    """
    if not (isinstance(source, kind) or _is_provider(source) or callable(source)):
        raise ConfigInvalid(
            f"credentials must be {kind.__name__}, a Provider, or a function that returns {kind.__name__}, "
            f"not {type(source).__name__}"
        )


def provider_of(source: Any, kind: type[T], runtime: Runtime) -> Provider[T]:
    """The provider that a user means.

    Arguments:
        source: credentials, a `Provider`, or a function for a `CallableProvider`.
        kind: the class of the credentials.
        runtime: calls the function.

    Raises:
        ConfigInvalid: it is something else.
    """
    check_source(source, kind)
    if isinstance(source, kind):
        return FixedProvider(source)
    # What a provider of the user raises or returns is checked as that of a function is
    call = source.load if _is_provider(source) else source
    return CallableProvider(call, kind, runtime)


class CredentialCache(Generic[T]):
    """The credentials of one provider, loaded on first use and renewed before they expire.

    It belongs to one runtime, and may be used from several event loops and threads.

    Arguments:
        provider: loads credentials.
        runtime: has the lock of each event loop.
        initial: credentials that are known already.
        now: returns the time, in seconds since 1970.
    """

    __slots__ = ("_held", "_now", "_provider", "_turns")

    def __init__(
        self, provider: Provider[T], runtime: Runtime, initial: T | None = None, now: Callable[[], float] = time
    ) -> None:
        self._provider = provider
        self._now = now
        self._turns = runtime.local(partial(Turn, runtime))
        self._held = None if initial is None else _Held(initial, now())

    @classmethod
    def fixed(cls, value: T, runtime: Runtime) -> Self:
        """The cache of credentials that are known and never change."""
        return cls(FixedProvider(value), runtime, value)

    @property
    def age(self) -> float:
        """For how many seconds the credentials are held. Infinite before the first load."""
        return inf if self._held is None else self._now() - self._held.loaded_at

    @property
    def held(self) -> T | None:
        """The credentials that are held, whether they can still be used or not."""
        return None if self._held is None else self._held.value

    def fresh(self) -> T | None:
        """The credentials, if they can be used without waiting; otherwise `get` must be called."""
        held = self._held
        if held is None:
            return None
        # No clock is read if they never expire
        is_fresh = held.refresh_at == inf or held.loaded_at <= self._now() < held.refresh_at
        return held.value if is_fresh else None

    async def get(self) -> T:
        """The credentials.

        Raises:
            Error: none are held, or they expire within 10 minutes, and the provider failed.
        """
        held, now = self._held, self._now()
        if held is None or now >= held.required_at:
            return await self._replaced(held)
        if held.loaded_at <= now < held.refresh_at or held.refresh_at == inf:
            return held.value
        # Other callers go on with the old ones
        held.loaded_at, held.refresh_at = min(held.loaded_at, now), min(now + PAUSE_SECONDS, held.required_at)
        try:
            return await self._replaced(held)
        except Error as error:
            log(WARNING, "the credentials cannot be refreshed, and the old ones are used until they expire: %s", error)
            return held.value

    async def renew(self, refused: T) -> T:
        """Returns credentials in place of refused ones. They are equal if the source has no others.

        Arguments:
            refused: the object that `fresh`, `get` or `renew` returned.

        Raises:
            Error: the provider failed.
        """
        held = self._held
        if held is not None and held.value is not refused:
            return held.value
        return await self._replaced(held)

    async def _replaced(self, old: "_Held[T] | None") -> T:
        """Loads credentials in the place of `old`, unless another caller has."""
        turn = await self._turns.get()
        failures = turn.failures
        async with turn.lock:
            held = self._held
            if held is not None and held is not old:
                return held.value
            if turn.failures > failures:
                raise copy(turn.failure)  # of a load that this caller waited for
            try:
                value = await self._provider.load()
            except Error as error:
                turn.fail(error)
                raise
            self._held = _Held(value, self._now())
            return value


class _Held(Generic[T]):
    """Credentials, and the times when others are loaded."""

    __slots__ = ("loaded_at", "refresh_at", "required_at", "value")

    def __init__(self, value: T, now: float) -> None:
        expires_at = inf if value.expires_at is None else value.expires_at.timestamp()
        life = expires_at - now
        self.value = value
        self.loaded_at = now
        self.refresh_at = self.required_at = inf
        if life <= 0:
            self.refresh_at = self.required_at = now + PAUSE_SECONDS
        elif life < inf:
            self.refresh_at = expires_at - min(AHEAD_SECONDS, life * _AHEAD_OF_LIFE)
            self.required_at = expires_at - min(REQUIRED_SECONDS, life * _REQUIRED_OF_LIFE)


def _is_provider(source: object) -> bool:
    return iscoroutinefunction(getattr(source, "load", None)) and not isinstance(source, type)


def _is_async(call: object) -> bool:
    """Whether a callable is a coroutine function, or an object whose call is one."""
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
