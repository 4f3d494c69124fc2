"""When calls with refused credentials come to an end."""

from __future__ import annotations

from typing import Final

from entrepot.errors import Error, PermissionDenied

MOST: Final = 8
"""Refusals in a row. A few may be of single objects: some servers compute the signature of unusual names wrongly."""


class Refusals:
    """Counts calls in a row for which a storage refused the credentials.

    Calls that were in flight may still succeed after the last refusal that counts; it stays the last one.
    """

    __slots__ = ("_errors",)

    def __init__(self) -> None:
        self._errors: list[PermissionDenied] = []

    @property
    def final(self) -> PermissionDenied | None:
        """The refusal after which no other call with these credentials is worth its request; None before."""
        return self._errors[-1] if len(self._errors) >= MOST else None

    def note(self, error: Error | None) -> None:
        """Notes how a call ended."""
        if self.final is not None:
            return
        if isinstance(error, PermissionDenied) and error.refuses_credentials:
            self._errors.append(error)
        else:
            self._errors.clear()
