"""Revocable work in threads: after a cancellation nothing changes any more.

A thread goes on after the task that waits for it was cancelled. So work that changes files checks before it takes
effect whether it is still wanted, and the cancelled task revokes it and waits until no thread works on it any more.
Afterwards nothing can happen.
"""

from collections.abc import Awaitable, Callable
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from entrepot.errors import InvalidInput

from .polling import poll

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

T = TypeVar("T")
P = ParamSpec("P")


class Revocable:
    """Work that can be revoked while a thread does it. A thread works inside `with revocable`, one at a time.

    Entering it raises `InvalidInput` when the work was revoked.
    """

    __slots__ = ("_at_work", "_is_revoked")

    def __init__(self) -> None:
        self._at_work = RLock()  # reentrant: a thread that an interrupt (Ctrl-C) stopped must not wait for itself
        self._is_revoked = False

    def __enter__(self) -> None:
        self._at_work.acquire()
        if self._is_revoked:
            self._at_work.release()
            self.check_wanted()

    def __exit__(self, *error: object) -> None:
        self._at_work.release()

    def check_wanted(self) -> None:
        """Checks that the work was not revoked.

        Raises:
            InvalidInput: it was revoked.
        """
        if self._is_revoked:
            raise InvalidInput("the operation was aborted")

    def revoke(self) -> bool:
        """Revokes the work. Returns whether another thread still works on it."""
        self._is_revoked = True
        return not self.is_free()

    def is_free(self) -> bool:
        """Whether no other thread works on it."""
        is_free = self._at_work.acquire(blocking=False)
        if is_free:
            self._at_work.release()
        return is_free


async def until_free(runtime: "Runtime", revocable: Revocable) -> None:
    """Waits until no thread works on it. The wait itself takes no thread."""

    async def attempt() -> bool | None:
        return revocable.is_free() or None

    await poll(runtime, attempt)


async def run_revocable(
    runtime: "Runtime", call: Callable[Concatenate[Revocable, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Runs `call(revocable, *args)` in a thread. After a cancellation of the caller nothing changes any more."""
    revocable = Revocable()
    return await _unless_cancelled(runtime, revocable, runtime.blocking(_work, revocable, call, args, kwargs))


async def run_long_revocable(
    runtime: "Runtime", call: Callable[Concatenate[Revocable, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Runs a call that may take long, as `run_revocable` does. It leaves threads free for short calls."""
    revocable = Revocable()
    return await _unless_cancelled(runtime, revocable, runtime.blocking_long(_work, revocable, call, args, kwargs))


async def _unless_cancelled(runtime: "Runtime", revocable: Revocable, work: Awaitable[T]) -> T:
    try:
        return await work
    except BaseException:
        if revocable.revoke():
            await runtime.shield(lambda: until_free(runtime, revocable))
        raise


def _work(revocable: Revocable, call: Callable[..., T], args: Any, kwargs: Any) -> T:
    with revocable:
        return call(revocable, *args, **kwargs)
