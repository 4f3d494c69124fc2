"""The same as `openat2` in plain calls, for kernels that do not have it: one component at a time.

No component is opened through a symbolic link. A link is read, and its target walked like the rest of
the path; `..` in it goes back to the directory that the walk came from, which is still open, so that
nobody can move the walk out of the root by renaming what it passes through.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LINKS: Final = 40
"""As many links as Linux follows in one path (path_resolution(7))."""

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def walked(root: int, path: str) -> Iterator[tuple[int, str]]:
    """The directory that a path leads to, open, and the name in it, which is no link unless it becomes one now.

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
        self._directories = [root]
        self._ahead = path.split("/")[::-1]
        self._links_left = _LINKS

    @property
    def here(self) -> int:
        return self._directories[-1]

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
                self._directories.append(os.open(name, _DIRECTORY, dir_fd=self.here))
        return "."

    def close(self) -> None:
        for directory in self._directories[1:]:
            os.close(directory)

    def _go_back(self) -> None:
        if len(self._directories) == 1:
            raise _error(errno.EXDEV)
        os.close(self._directories.pop())

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
