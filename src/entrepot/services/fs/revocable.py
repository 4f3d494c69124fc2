"""Taking back what a thread was asked to do.

A thread goes on although the one who waited for it was cancelled. So whatever changes something looks
whether it is still wanted before it takes effect, and the one who takes it back waits until no thread
is at it any more: afterwards nothing can happen.
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
    """Whether work in threads is still wanted. A thread works inside `with withdrawal`, one at a time.

    Entering it raises `InvalidInput` when the work is not wanted any more.
    """

    __slots__ = ("_at_work", "_is_revoked")

    def __init__(self) -> None:
        self._at_work = (
            RLock()
        )  # one whose own thread was interrupted (Ctrl-C) while it took it must not wait for itself
        self._is_revoked = False

    def __enter__(self) -> None:
        self._at_work.acquire()
        if self._is_revoked:
            self._at_work.release()
            self.check_wanted()

    def __exit__(self, *error: object) -> None:
        self._at_work.release()

    def check_wanted(self) -> None:
        """Passes until the work is withdrawn.

        Raises:
            InvalidInput: it was.
        """
        if self._is_revoked:
            raise InvalidInput("it was aborted")

    def revoke(self) -> bool:
        """Nothing is wanted from now on. Returns whether another thread is still at it."""
        self._is_revoked = True
        return not self.is_free()

    def is_free(self) -> bool:
        """Whether no other thread is at it."""
        is_free = self._at_work.acquire(blocking=False)
        if is_free:
            self._at_work.release()
        return is_free


async def until_free(runtime: "Runtime", revocable: Revocable) -> None:
    """Returns when no thread is at it. It takes none to wait."""

    async def look() -> bool | None:
        return revocable.is_free() or None

    await poll(runtime, look)


async def run_revocable(
    runtime: "Runtime", call: Callable[Concatenate[Revocable, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Makes `call(revocable, *args)` in a thread. When the caller is cancelled, nothing happens afterwards."""
    revocable = Revocable()
    return await _unless_cancelled(runtime, revocable, runtime.blocking(_work, revocable, call, args, kwargs))


async def run_long_revocable(
    runtime: "Runtime", call: Callable[Concatenate[Revocable, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The same, of a call that may take long. It leaves threads to short ones."""
    revocable = Revocable()
    return await _unless_cancelled(runtime, revocable, runtime.blocking_long(_work, revocable, call, args, kwargs))


async def _unless_cancelled(runtime: "Runtime", revocable: Revocable, made: Awaitable[T]) -> T:
    try:
        return await made
    except BaseException:
        if revocable.revoke():
            await runtime.shield(lambda: until_free(runtime, revocable))
        raise


def _work(revocable: Revocable, call: Callable[..., T], args: Any, kwargs: Any) -> T:
    with revocable:
        return call(revocable, *args, **kwargs)
