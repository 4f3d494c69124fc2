"""The runner on the background event loop, which imports the loop with the first call that needs it.

Most of what a program imports for a blocking read from a network is asyncio, which a call with a single request does
not need (`sides.py`).
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

from entrepot.errors import Unexpected, Unsupported
from entrepot.raw.runtime import Runner
from entrepot.raw.runtime.base import is_drawn_freely

T = TypeVar("T")

_BACKGROUND: Final = "entrepot.raw.runtime.background"


class LateRunner(Runner):
    """Runs coroutines on the background loop of the process, which is imported by the first of them."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result.

        Raises:
            Unsupported: as `BackgroundRunner.run`.
            Unexpected: as `BackgroundRunner.run`, or its module cannot be imported now. Temporary.
        """
        try:
            runner = background()
        except BaseException:
            coroutine.close()
            raise
        return runner.run(coroutine)

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that releases resources. A loop that was never imported has none."""
        if _BACKGROUND in sys.modules:
            background().finish(coroutine)
        else:
            coroutine.close()

    def bring(self, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
        """The same items, drawn by the thread that waits. Those that run no code of anybody's need no loop."""
        return items if is_drawn_freely(items) else background().bring(items)

    def drop(self, held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
        """Closes and releases on the loop. One that was never imported has nothing to release."""
        if _BACKGROUND in sys.modules:
            background().drop(held, close)


def background() -> Runner:
    """The runner on the background loop, which is imported if it was not before.

    Raises:
        Unsupported: the interpreter ends.
        Unexpected: a module cannot be imported now. Temporary.
    """
    try:
        from entrepot.raw.runtime.background import BackgroundRunner
    except RuntimeError as error:  # of concurrent.futures, whose threads have a handler of their own at the end
        raise Unsupported("the interpreter ends, and has not imported the event loop for blocking calls") from error
    except (ImportError, OSError) as error:
        raise Unexpected(f"the event loop cannot be imported: {error}", is_temporary=True) from error
    return BackgroundRunner()
