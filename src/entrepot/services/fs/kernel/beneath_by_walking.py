"""Confined opens without `openat2`, for kernels and sandboxes that lack it: the path is walked component by component.

No component is opened through a symbolic link. A link is read, and its target is walked like the rest of
the path. `..` in a link goes back to the directory that the walk came from, which is still open. So another process
cannot move the walk out of the root by renaming a directory that the walk passes through.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .descriptor import Descriptor, open_at

_LINKS: Final = 40
"""The number of links that Linux follows in one path (path_resolution(7))."""

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def walked(root: int, path: str) -> Iterator[tuple[int, str]]:
    """Yields the open directory that a path leads to, and the name in it, which was not a link when it was read.

    Raises:
        OSError: EXDEV where a link leads out of the root, ELOOP where there are too many, else as open(2).
    """
    walk = _Walk(root, path)
    try:
        name = walk.to_last_name()
        yield walk.here, name
    finally:
        walk.close()


class _Walk:
    def __init__(self, root: int, path: str) -> None:
        self._root = root
        self._opened: list[Descriptor] = []
        self._ahead = path.split("/")[::-1]
        self._links_left = _LINKS

    @property
    def here(self) -> int:
        return self._opened[-1].number if self._opened else self._root

    def to_last_name(self) -> str:
        while self._ahead:
            name = self._ahead.pop()
            if name == "..":
                self._go_back()
            elif name in ("", "."):
                continue
            elif (target := self._link_target(name)) is not None:
                self._follow(target)
            elif not self._ahead:
                return name
            else:
                self._opened.append(open_at(name, _DIRECTORY, directory=self.here))
        return "."

    def close(self) -> None:
        for directory in self._opened:
            directory.close()

    def _go_back(self) -> None:
        if not self._opened:
            raise _error(errno.EXDEV)
        self._opened.pop().close()

    def _follow(self, target: str) -> None:
        self._links_left -= 1
        if self._links_left < 0:
            raise _error(errno.ELOOP)
        if target.startswith("/"):
            raise _error(errno.EXDEV)
        self._ahead += target.split("/")[::-1]

    def _link_target(self, name: str) -> str | None:
        try:
            return os.readlink(name, dir_fd=self.here)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
