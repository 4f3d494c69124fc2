"""What a storage must hold after any sequence of operations: a dictionary, and the rules of directories."""

from __future__ import annotations

from entrepot.raw import get_parent


class Model:
    """Contents by path, and directories.

    Arguments:
        is_flat: whether names are keys. Then a directory is there while something lies in it, or while its
            marker does; `directories` are the markers. Else `directories` are all of them.
    """

    def __init__(self, *, is_flat: bool) -> None:
        self.is_flat = is_flat
        self.files: dict[str, bytes] = {}
        self.directories: set[str] = set()

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content
        self._make_parents(path)

    def append(self, path: str, content: bytes) -> None:
        self.write(path, self.files.get(path, b"") + content)

    def copy(self, source: str, target: str) -> None:
        self.write(target, self.files[source])

    def rename(self, source: str, target: str) -> None:
        self.write(target, self.files.pop(source))

    def create_dir(self, path: str) -> None:
        self.directories.add(path)
        self._make_parents(path)

    def delete(self, path: str) -> None:
        self.files.pop(path, None)
        if not self.beneath(path):
            self.directories.discard(path)

    def delete_recursively(self, path: str) -> None:
        directory = path if path.endswith("/") else f"{path}/"
        gone = {one for one in self.keys() if one == path or one.startswith(directory)}
        self.files = {one: content for one, content in self.files.items() if one not in gone}
        self.directories -= gone

    def keys(self) -> set[str]:
        """All that a recursive listing of the root gives, but the root."""
        return {*self.files, *self.directories}

    def beneath(self, path: str) -> set[str]:
        return {one for one in self.keys() if one.startswith(path) and one != path and path.endswith("/")}

    def is_directory(self, path: str) -> bool:
        return path == "/" or path in self.directories or bool(self.beneath(path))

    def listing(self, path: str, *, recursive: bool) -> set[str]:
        """What a listing of the path gives."""
        if path.endswith("/"):
            within = "" if path == "/" else path
            itself = {path} if self.is_directory(path) else set()
            return itself | (self._all_from(within) if recursive else self._level_from(within))
        return self._all_from(path) if recursive else self._level_from(path)

    def _all_from(self, prefix: str) -> set[str]:
        return {one for one in self.keys() if one.startswith(prefix)}

    def _level_from(self, prefix: str) -> set[str]:
        """What begins with the prefix, directly in the directory that the prefix lies in."""
        parent = prefix if prefix.endswith("/") or not prefix else get_parent(prefix).lstrip("/")
        level = set()
        for one in self._all_from(prefix) - {parent}:
            name, slash, _ = one[len(parent) :].partition("/")
            level.add(parent + name + slash)
        return level

    def _make_parents(self, path: str) -> None:
        if not self.is_flat:
            parent = get_parent(path)
            if parent != "/":
                self.create_dir(parent)
