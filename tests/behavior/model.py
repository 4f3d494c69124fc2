"""The expected contents of a storage after any sequence of operations: a dictionary, and the rules of directories."""

from __future__ import annotations

from entrepot.raw import get_parent


class Model:
    """Contents by path, and directories.

    Arguments:
        is_flat: whether names are keys. Then a directory exists while it has contents or a marker, and `directories`
            are the markers. Otherwise `directories` are all directories.
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
        if not self.contents(path):
            self.directories.discard(path)

    def delete_recursively(self, path: str) -> None:
        directory = path if path.endswith("/") else f"{path}/"
        gone = {key for key in self.keys() if key == path or key.startswith(directory)}
        self.files = {name: content for name, content in self.files.items() if name not in gone}
        self.directories -= gone

    def keys(self) -> set[str]:
        """The paths of a recursive listing of the root, without the root."""
        return {*self.files, *self.directories}

    def contents(self, path: str) -> set[str]:
        return {key for key in self.keys() if key.startswith(path) and key != path and path.endswith("/")}

    def is_directory(self, path: str) -> bool:
        return path == "/" or path in self.directories or bool(self.contents(path))

    def listing(self, path: str, *, recursive: bool) -> set[str]:
        """The paths of a listing of the path."""
        if path.endswith("/"):
            within = "" if path == "/" else path
            self_entry = {path} if self.is_directory(path) else set()
            return self_entry | (self._all_from(within) if recursive else self._level_from(within))
        return self._all_from(path) if recursive else self._level_from(path)

    def _all_from(self, prefix: str) -> set[str]:
        return {key for key in self.keys() if key.startswith(prefix)}

    def _level_from(self, prefix: str) -> set[str]:
        """The names that start with the prefix, directly in the directory of the prefix."""
        parent = prefix if prefix.endswith("/") or not prefix else get_parent(prefix).lstrip("/")
        level = set()
        for key in self._all_from(prefix) - {parent}:
            name, slash, _ = key[len(parent) :].partition("/")
            level.add(parent + name + slash)
        return level

    def _make_parents(self, path: str) -> None:
        if not self.is_flat:
            parent = get_parent(path)
            if parent != "/":
                self.create_dir(parent)
