"""`FrozenMapping`: an immutable mapping from text to text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final


class FrozenMapping(Mapping[str, str]):
    """An immutable copy of a mapping. Unlike a mapping proxy it can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


EMPTY: Final = FrozenMapping({})
