"""The response of a read whose metadata a layer changes, of one by a body and of one at once."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.types import Metadata

from .rps import RpRead


def change_metadata(response: RpRead, change: Callable[[Metadata], Metadata]) -> None:
    """Changes the metadata in the response of a read that was made at once, for a layer around it.

    Arguments:
        response: the response, which the read has filled.
        change: returns the metadata to show for the metadata of the storage.
    """
    if response.metadata is not None:
        response.metadata = change(response.metadata)


class DerivedResponse(RpRead):
    """The response of a layer around another one, which its body fills later.

    Arguments:
        inner: the response that the body fills.
        change: returns the metadata to show for the metadata of the inner response.
    """

    __slots__ = ("_change", "_inner")

    def __init__(self, inner: RpRead, change: Callable[[Metadata], Metadata]) -> None:
        self._inner = inner
        self._change = change

    @property
    def metadata(self) -> Metadata | None:  # type: ignore[override]
        found = self._inner.metadata
        return None if found is None else self._change(found)

    @property
    def size(self) -> int | None:  # type: ignore[override]
        return self._inner.size

    @property
    def is_whole(self) -> bool:  # type: ignore[override]
        return self._inner.is_whole

    @property
    def is_from_stat(self) -> bool:  # type: ignore[override]
        return self._inner.is_from_stat
