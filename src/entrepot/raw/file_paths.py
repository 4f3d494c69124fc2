"""The rules for paths of services with files and directories, pure."""

from entrepot.errors import InvalidInput, IsADirectory, NotFound

from .temporary_names import PREFIX, is_temporary_name


def relative_path(path: str) -> str:
    """The path that the operating system gets: relative to the root, which is `"."`.

    Empty and `.` components are dropped, because a file system ignores them.

    Raises:
        InvalidInput: the path has a NUL or a `..` component.
    """
    if "\0" in path:
        raise InvalidInput("a path must not hold a NUL", path=path)
    if "/" not in path and path[:1] not in ("", "."):  # the most frequent
        return path
    names = path.split("/")
    if ".." in names:
        raise InvalidInput("a path on a file system must not have a component '..'", path=path)
    return "/".join(name for name in names if name not in ("", ".")) or "."


def names_directory(path: str) -> bool:
    """Whether the path can name only a directory: `"a/"`, `"a/."`, `"."`."""
    return path.rpartition("/")[2] in ("", ".")


def file_path(path: str) -> str:
    """`relative_path` of a path that must name a file.

    Raises:
        InvalidInput: as `relative_path`.
        IsADirectory: the path can name only a directory.
    """
    relative = relative_path(path)
    if names_directory(path):
        raise IsADirectory("the path names a directory", path=path)
    return relative


def is_reserved(relative: str) -> bool:
    """Whether a component of a relative path is the name of a temporary file. To the operator such a path is empty."""
    return PREFIX in relative and any(is_temporary_name(name) for name in relative.split("/"))


def check_may_exist(relative: str) -> None:
    """Checks that a path can lead to something.

    Raises:
        NotFound: a component is the name of a temporary file.
    """
    if is_reserved(relative):
        raise NotFound("there is no such file: the name is reserved for temporary files")


def check_may_be_made(relative: str) -> None:
    """Checks that a path may be written to.

    Raises:
        InvalidInput: a component is the name of a temporary file.
    """
    if is_reserved(relative):
        raise InvalidInput("the name is reserved for files that are being written")
