"""When a command stops at a storage that refuses its credentials: as a transfer of a tree does."""

from __future__ import annotations

from typing import Final

from entrepot import Operator, PermissionDenied

MOST: Final = 8
"""Refusals in a row. A few may be of single objects: some servers compute the signature of unusual names wrongly."""


class Refusals:
    """Counts the places of a command in a row for which the credentials were refused.

    They are counted for each storage that the places are in: those of other storages are still tried.

    Attributes:
        latest: the error that was reported last, of the place that is being handled.
    """

    __slots__ = ("_rows", "latest")

    def __init__(self) -> None:
        self.latest: BaseException | None = None
        self._rows: dict[Operator, int] = {}

    def begin(self) -> None:
        """Notes that the next place is handled."""
        self.latest = None

    def end(self, operator: Operator) -> None:
        """Notes that it was handled.

        Arguments:
            operator: the storage that it is in.
        """
        is_refused = isinstance(self.latest, PermissionDenied) and self.latest.refuses_credentials
        self._rows[operator] = self._rows.get(operator, 0) + 1 if is_refused else 0

    def are_final(self, operator: Operator) -> bool:
        """Whether no other place in a storage is worth its requests."""
        return self._rows.get(operator, 0) >= MOST
