"""`Tree`: the members of an archive by path, in the order of the paths."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

M = TypeVar("M")

_AFTER_SLASH: Final = chr(ord("/") + 1)


class Tree(Generic[M]):
    """Members by path. Immutable.

    Arguments:
        members: the members. The path of a directory ends with a slash; directories without a member of their own
            follow from the paths of others.
    """

    __slots__ = ("_members", "_paths")

    def __init__(self, members: Mapping[str, M]) -> None:
        self._members = members
        self._paths = sorted(members)

    def find(self, path: str) -> M | None:
        """The member at a path."""
        return self._members.get(path)

    def below(self, prefix: str, after: str) -> Iterator[tuple[str, M | None]]:
        """The members whose path begins with the prefix and comes after a path, in order."""
        for position in range(self._start(prefix, after), len(self._paths)):
            path = self._paths[position]
            if not path.startswith(prefix):
                break
            yield path, self._members[path]

    def children(self, prefix: str, after: str) -> Iterator[tuple[str, M | None]]:
        """The members directly below the prefix that come after a path, in order, and the directories, each once.

        A directory without a member of its own has None. It costs a binary search, however many members are in it.
        """
        position = self._start(prefix, after)
        while position < len(self._paths) and (path := self._paths[position]).startswith(prefix):
            slash = path.find("/", len(prefix))
            if slash < 0:
                yield path, self._members[path]
                position += 1
                continue
            directory = path[: slash + 1]
            if directory > after:
                yield directory, self._members.get(directory)
            position = bisect_left(self._paths, path[:slash] + _AFTER_SLASH, position)

    def _start(self, prefix: str, after: str) -> int:
        return max(bisect_left(self._paths, prefix), bisect_right(self._paths, after) if after else 0)
