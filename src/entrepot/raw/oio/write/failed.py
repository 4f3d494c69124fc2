"""The body of a write whose first attempt has failed."""

from __future__ import annotations

from entrepot.errors import ConditionNotMatch
from entrepot.raw.effects import leaves_doubt
from entrepot.types import Metadata

from .api import Write


class FailedWriter(Write):
    """Raises an error at the first `close`. Otherwise it is the inner body, which stores nothing before `close`.

    So whoever wraps or calls bodies handles a failure of `Accessor.write_whole` as a failure of `close`.

    Arguments:
        inner: a body, opened for the next attempt.
        error: the error of the first attempt.
    """

    __slots__ = ("_error", "_inner", "_may_be_stored", "abort", "write")

    def __init__(self, inner: Write, error: Exception) -> None:
        self._inner = inner
        self._error: Exception | None = error
        self._may_be_stored = leaves_doubt(error)
        self.write = inner.write  # type: ignore[method-assign]
        self.abort = inner.abort  # type: ignore[method-assign]

    async def close(self) -> Metadata:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # no local variable: the traceback of the error would refer to it, in a cycle
        try:
            return await self._inner.close()
        except ConditionNotMatch as failure:  # perhaps because of the object that the first attempt has stored
            if self._may_be_stored:
                failure.add_context(may_have_taken_effect=True)
            raise
