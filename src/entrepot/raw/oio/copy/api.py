"""`Copy`, the body of a copy, and `copy_to_end`, which runs one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from entrepot.errors import Error, Unsupported
from entrepot.types import Metadata

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime


class Copy:
    """The body of a copy within the storage. The target is complete after `close`, and never partly visible.

    Creating a body does no I/O. Steps that succeeded are not made again, so a caller repeats a failed `next` or
    `close` to continue the copy. One task uses a body at a time.

    A body ends once, by `close` or by `abort`:

    - after a successful `close`, `close` returns the same metadata again, `abort` does nothing (the target stays)
      and `next` returns None.
    - after an `abort`, `next` and `close` raise `InvalidInput`, and `abort` does nothing more.
    """

    __slots__ = ()

    async def next(self) -> int | None:
        """Makes one step of the copy, such as a range. Returns the bytes that it copied, or None if `close` is left.

        The number may be 0, for a step that only starts requests. If a step may have made the target visible although
        its response was lost, and would do something else the second time, the context of its error has
        `may_have_taken_effect`, and the step must not be repeated.
        """
        raise Unsupported("this body cannot copy")

    async def close(self) -> Metadata:
        """Makes the target visible and returns the metadata that the service reports. `next` has returned None."""
        raise Unsupported("this body cannot close")

    async def abort(self) -> None:
        """Drops what was copied. Afterwards none of it uses space in the storage.

        The default does nothing, which is enough for a body that stores nothing before `close`.
        """


async def copy_to_end(body: Copy, runtime: Runtime, note: Callable[[int], object] | None = None) -> Metadata:
    """Makes all steps of a copy and returns the metadata of the target. If one fails, the copy is aborted.

    Arguments:
        body: a body that was not used before.
        runtime: shields the abort from a cancellation.
        note: called with the bytes of each step. What it raises ends the copy.
    """
    try:
        while (copied := await body.next()) is not None:
            if copied and note is not None:
                note(copied)
        return await body.close()
    except BaseException as cause:
        try:
            await runtime.shield(body.abort)
        except Error as error:
            cause.add_note(f"and the copy could not be aborted: {error.kind}: {error}")
        raise
