"""Path rules, pair by pair."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import InvalidInput
from entrepot.raw import (
    build_abs_path,
    build_rel_path,
    build_rooted_abs_path,
    get_basename,
    get_parent,
    normalize_path,
    normalize_root,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("/", "/"),
        ("///", "/"),
        ("abc", "abc"),
        ("/abc/def", "abc/def"),
        ("///abc/def/", "abc/def/"),
        ("abc//def", "abc//def"),
        ("abc/def   ", "abc/def   "),
        ("  abc", "  abc"),
        (" ", " "),
        ("a/./b/../c", "a/./b/../c"),
        ("a\\b", "a\\b"),
        ("%2F+", "%2F+"),
        ("ü/日本", "ü/日本"),
        ("a\tb", "a\tb"),
        (PurePosixPath("/a/b"), "a/b"),
    ],
)
def test_normalize_path(path: str | PurePosixPath, expected: str) -> None:
    assert normalize_path(path) == expected


@pytest.mark.parametrize("path", [b"a", 5, None, ["a"], "a\0b", "a\nb", "a\rb", "\ud800", "a\udcff"])
def test_what_cannot_be_a_path_is_refused(path: object) -> None:
    with pytest.raises(InvalidInput):
        normalize_path(path)  # type: ignore[arg-type]


def test_a_pathlike_of_bytes_is_refused() -> None:
    class BytesPath:
        def __fspath__(self) -> bytes:
            return b"a"

    with pytest.raises(InvalidInput):
        normalize_path(BytesPath())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("root", "expected"),
    [("", "/"), ("/", "/"), ("abc/", "/abc/"), ("///abc/def", "/abc/def/"), ("a//b", "/a/b/"), (" a ", "/ a /")],
)
def test_normalize_root(root: str, expected: str) -> None:
    assert normalize_root(root) == expected


@pytest.mark.parametrize(
    ("root", "path", "key"), [("/abc/", "def", "abc/def"), ("/abc/", "/", "abc/"), ("/", "/", ""), ("/", "a/", "a/")]
)
def test_build_abs_path_and_back(root: str, path: str, key: str) -> None:
    assert build_abs_path(root, path) == key
    assert build_rooted_abs_path(root, path) == f"/{key}"
    assert build_rel_path(root, key) == path
    assert build_rel_path(root, f"/{key}") == path


def test_a_key_outside_the_root_has_no_path() -> None:
    with pytest.raises(InvalidInput):
        build_rel_path("/abc/", "other")


@pytest.mark.parametrize(
    ("path", "name", "parent"),
    [
        ("abc", "abc", "/"),
        ("foo/bar/baz", "baz", "foo/bar/"),
        ("foo/bar/baz/", "baz/", "foo/bar/"),
        ("foo/", "foo/", "/"),
        ("/", "/", "/"),
    ],
)
def test_basename_and_parent(path: str, name: str, parent: str) -> None:
    assert get_basename(path) == name
    assert get_parent(path) == parent


@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",))))
def test_normalizing_twice_is_normalizing_once(path: str) -> None:
    once = normalize_path(path)
    assert normalize_path(once) == once
    assert once == "/" or not once.startswith("/")
    assert path.endswith(once.lstrip("/"))
