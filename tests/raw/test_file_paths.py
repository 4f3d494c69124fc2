"""The rules for paths, without a file system."""

import pytest

from entrepot import InvalidInput, IsADirectory
from entrepot.raw.file_paths import file_path, relative_path


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        ("a", "a"),
        ("a/b", "a/b"),
        ("a//b", "a/b"),
        ("./a/./b", "a/b"),
        ("a/", "a"),
        ("/", "."),
        (".", "."),
        ("...", "..."),
        ("..a/b..", "..a/b.."),
        (" a ", " a "),
        ("a\\b", "a\\b"),
    ],
)
def test_relative_path(path: str, relative: str) -> None:
    assert relative_path(path) == relative


@pytest.mark.parametrize("path", ["..", "../a", "a/..", "a/../b", "a/../", "a\0b", "\0", "a/\0/.."])
def test_path_that_could_leave_the_root_is_refused(path: str) -> None:
    for check in (relative_path, file_path):
        with pytest.raises(InvalidInput) as raised:
            check(path)
        assert raised.value.path == path


@pytest.mark.parametrize("path", ["/", ".", "a/", "a/.", "a/./", ""])
def test_path_of_a_directory_is_not_one_of_a_file(path: str) -> None:
    with pytest.raises(IsADirectory):
        file_path(path)
