"""Path rules, as pure functions.

A path is relative to the operator's root. `/` is the root itself, a trailing `/` means a directory.
Leading slashes are dropped; everything else is a name and stays as it is: blanks, `//`, `.` and `..`
are ordinary characters to an object store (`services/fs` refuses the ones that would leave its root).
"""

import os

from entrepot.errors import InvalidInput

_FORBIDDEN = {"\0": "a NUL", "\r": "a carriage return", "\n": "a line feed"}


def normalize_path(path: str | os.PathLike[str]) -> str:
    """Returns the path as services receive it.

    Raises:
        InvalidInput: it is not text, or holds NUL, CR, LF or a lone surrogate.
    """
    text = path if type(path) is str else _text_of(path)
    if not text.isprintable():  # text that is has neither control characters nor surrogates
        _check_characters(text)
    return text.lstrip("/") or "/" if text[:1] in ("", "/") else text


def is_path(text: str) -> bool:
    """Whether a path can name this: text that `normalize_path` would neither refuse nor change."""
    if text[:1] not in ("", "/") and text.isprintable():
        return True
    try:
        return normalize_path(text) == text
    except InvalidInput:
        return False


def _text_of(path: object) -> str:
    text = path if isinstance(path, str) else os.fspath(path) if isinstance(path, os.PathLike) else None
    if not isinstance(text, str):
        raise InvalidInput(f"a path is a str or a PathLike of str, not {type(path).__name__}")
    return str(text)


def _check_characters(text: str) -> None:
    for character, name in _FORBIDDEN.items():
        if character in text:
            raise InvalidInput(f"a path must not hold {name}", path=text)
    if not _is_unicode(text):
        raise InvalidInput("a path must be valid Unicode, without lone surrogates", path=text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def normalize_root(root: str) -> str:
    """Returns the root with one slash at each end and none doubled: `"a//b"` becomes `"/a/b/"`."""
    _check_characters(root)
    names = [name for name in root.split("/") if name]
    return f"/{'/'.join(names)}/" if names else "/"


def build_abs_path(root: str, path: str) -> str:
    """Returns the key of a path under a normalized root, without a leading slash: `("/a/", "b")` is `"a/b"`."""
    return root[1:] if path == "/" else root[1:] + path


def build_rooted_abs_path(root: str, path: str) -> str:
    """Returns the key with a leading slash: `("/a/", "b")` is `"/a/b"`."""
    return root if path == "/" else root + path


def build_rel_path(root: str, key: str) -> str:
    """Returns the path of a key, the inverse of `build_abs_path`; the root itself is `"/"`.

    Raises:
        InvalidInput: the key is outside of the root.
    """
    prefix = root if key.startswith("/") else root[1:]
    if not key.startswith(prefix):
        raise InvalidInput(f"{key!r} is not under the root {root!r}")
    return key[len(prefix) :] or "/"


def get_basename(path: str) -> str:
    """Returns the last name of a path, with the slash of a directory: `"b/"` for `"a/b/"`."""
    return path[path.rstrip("/").rfind("/") + 1 :] or "/"


def get_parent(path: str) -> str:
    """Returns the directory that holds a path: `"a/"` for `"a/b"` and `"a/b/"`, `"/"` for `"a"`."""
    return path[: path.rstrip("/").rfind("/") + 1] or "/"


def is_dir_path(path: str) -> bool:
    """Whether the path names a directory."""
    return path.endswith("/")
