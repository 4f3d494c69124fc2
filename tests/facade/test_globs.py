import os
import re

import pytest

from entrepot import Entry, InvalidInput, Operator, PermissionDenied
from entrepot.facade.globs import PathFilter, compiled
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor
from entrepot.services import Fs, Memory
from tests.facade.faults import Closed, ThenRefused

PATHS = [
    "a.csv",
    "b.txt",
    "2026-01/a.csv",
    "2026-01/b.txt",
    "2026-02/deep/a.csv",
    "2026-02/deep/er/a.csv",
    "logs/x",
    "[x]",
]


@pytest.fixture(params=["memory", "fs"])
def op(request, tmp_path):
    op = Operator(Memory() if request.param == "memory" else Fs(tmp_path))
    for path in PATHS:
        op.blocking().write(path, b"data")
    return op


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["[x]", "a.csv", "b.txt"]),
        ("/*.csv", ["a.csv"]),
        ("2026-*/*.csv", ["2026-01/a.csv"]),
        ("2026-*/**/a.csv", ["2026-01/a.csv", "2026-02/deep/a.csv", "2026-02/deep/er/a.csv"]),
        ("**/a.csv", ["2026-01/a.csv", "2026-02/deep/a.csv", "2026-02/deep/er/a.csv", "a.csv"]),
        ("**", sorted(PATHS)),
        ("2026-02/**", ["2026-02/deep/a.csv", "2026-02/deep/er/a.csv"]),
        ("2026-02/deep/?.csv", ["2026-02/deep/a.csv"]),
        ("2026-0[!1]/deep/a.csv", ["2026-02/deep/a.csv"]),
        ("[[]x]", ["[x]"]),
        ("logs/x", ["logs/x"]),
        ("logs/y", []),
        ("a.csv/*", []),
        ("nowhere/**", []),
        ("*/", ["2026-01/", "2026-02/", "logs/"]),
        ("**/", ["2026-01/", "2026-02/", "2026-02/deep/", "2026-02/deep/er/", "logs/"]),
        ("**/deep/er/", ["2026-02/deep/er/"]),
        ("logs/", ["logs/"]),
        ("2026-*/deep/", ["2026-02/deep/"]),
    ],
)
async def test_a_pattern_finds_its_paths(op, pattern, expected):
    assert sorted([entry.path async for entry in op.glob(pattern)]) == expected
    assert sorted(entry.path for entry in op.blocking().glob(pattern)) == expected


@pytest.mark.parametrize("pattern", ["", "/", "a**", "x/**y/z"])
async def test_a_pattern_that_cannot_be_is_refused(op, pattern):
    with pytest.raises(InvalidInput) as refused:
        await op.glob(pattern)
    assert refused.value.operation == "glob"


@pytest.mark.parametrize("pattern", ["[z-a]", "x/[a--]"])
async def test_a_range_from_its_end_to_its_start_is_refused(pattern):
    op = Operator(Memory())
    with pytest.raises(InvalidInput, match="range"):
        await op.glob(pattern)
    with pytest.raises(InvalidInput, match="range"):
        await op.copy_tree(Operator(Memory()), exclude=pattern)


async def test_any_depth_does_not_go_round_in_links(tmp_path):
    (tmp_path / "dir/sub").mkdir(parents=True)
    (tmp_path / "dir/sub/loop").symlink_to("..")
    os.mkfifo(tmp_path / "dir/fifo")
    op = Operator(Fs(tmp_path))

    async def found(pattern):
        return sorted([entry.path async for entry in op.glob(pattern)])

    assert await found("**/") == ["dir/", "dir/sub/", "dir/sub/loop/"]
    assert await found("dir/**/loop/") == ["dir/sub/loop/"]
    assert await found("dir/*") == await found("dir/**") == ["dir/fifo"]


async def test_only_directories_that_may_match_are_listed():
    op = Operator(Memory())
    for path in PATHS:
        await op.write(path, b"data")
    listed = []
    lister = op._accessor.list

    async def noted(path, args):
        listed.append((path, args.recursive))
        return await lister(path, args)

    op._accessor.list = noted  # type: ignore[method-assign]
    assert [entry.path async for entry in op.glob("2026-*/a.csv")] == ["2026-01/a.csv"]
    assert listed == [("/", False)]  # and a stat in each directory
    listed.clear()
    assert len([entry async for entry in op.glob("2026-02/d*/**/a.csv")]) == 2
    assert listed == [("2026-02/", False), ("2026-02/deep/", True)]


def test_the_expression_of_a_pattern_is_that_of_its_parts():
    texts = ["a", "ab", "a/b", "a/b/c", "*", "a]", "\\", "^", "a\nb", "", "[", "[a", "a.b", "[]", "[!]"]
    matches = {pattern: [text for text in texts if compiled(pattern).fullmatch(text)] for pattern in
               ("*", "a*", "a/**", "**/b", "[*]", "[^]", "[]]", "a[]]", "[\\d]", "[", "[a", "a.b", "a?b",
                "[]", "[!]", "a[!]]", "[+--a]", "[a-]")}  # fmt: skip
    assert matches == {
        "*": ["a", "ab", "*", "a]", "\\", "^", "a\nb", "", "[", "[a", "a.b", "[]", "[!]"],
        "a*": ["a", "ab", "a]", "a\nb", "a.b"],
        "a/**": ["a/b", "a/b/c"], "**/b": ["a/b"], "[*]": ["*"], "[^]": ["^"], "[]]": [], "a[]]": ["a]"],
        "[\\d]": ["\\"], "[": ["["], "[a": ["[a"], "a.b": ["a.b"], "a?b": ["a\nb", "a.b"],
        "[]": ["[]"], "[!]": ["[!]"], "a[!]]": ["ab"], "[+--a]": ["a"], "[a-]": ["a"],
    }  # fmt: skip


def test_many_wildcards_end_soon():
    name, path = "a" * 100, "a/" * 100 + "b"
    matches = {pattern: bool(compiled(pattern).fullmatch(text)) for pattern, text in (
        ("*a" * 30, name), ("*a" * 30 + "*b", name), ("*[ab]?" * 10 + "*", name), ("a*ba*a", "abaaba"),
        ("**/a/" * 30 + "b", path), ("**/*/" * 30 + "c", path), ("**/*a/b*/**/a/**", "xa/b/y/ba/b/a/c"),
    )}  # fmt: skip
    assert list(matches.values()) == [True, False, True, True, True, False, True]


def test_a_filter_compares_a_name_at_any_depth_and_a_path_as_a_whole():
    chosen = PathFilter(["*.csv", "docs/**/*.md"], "old/")
    paths = ["a.csv", "x/y/a.csv", "docs/a.md", "docs/x/a.md", "a.md", "old/a.csv", "x/old/y/a.csv", "very-old/a.csv"]
    assert [path for path in paths if chosen.accepts(path)] == [
        "a.csv", "x/y/a.csv", "docs/a.md", "docs/x/a.md", "very-old/a.csv"
    ]  # fmt: skip
    assert [path for path in paths if PathFilter("/*.csv").accepts(path)] == ["a.csv"]
    assert [path for path in paths if PathFilter("/old/").accepts(path)] == ["old/a.csv"]
    with pytest.raises(InvalidInput, match=re.escape("include must be a pattern or an iterable of patterns")):
        PathFilter(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("include", "exclude", "directory", "is_concerned"),
    [
        ((), (), "", True),
        ((), "d/", "d/", False),
        ((), "d/", "d/e/", False),
        ((), "d/*", "d/", True),  # not what is in directories in it
        ((), "*", "d/", False),
        ((), "a*", "d/", True),
        ((), "[!0-9]*", "d/", True),  # 1.csv in it
        ((), "?" * 40, "d/", True),
        ((), "**/??/*", "dd/", True),  # dd/e/a.csv
        ((), "?*", "d/", False),
        ((), "/**", "", False),
        ("*.csv", (), "d/e/", True),
        ("d/*.csv", (), "d/", True),
        ("d/*.csv", (), "d/e/", False),
        ("d/*.csv", (), "e/", False),
        ("d/**/*.csv", (), "d/e/f/", True),
        ("d/", (), "e/", True),  # a directory d/ in it
        ("/d/", (), "e/", False),
        ("/d/", (), "d/e/", True),
        ("/a.csv", (), "", True),
        ("/a.csv", (), "d/", False),
        (["x/*", "d/*"], "d/e/", "d/", True),
    ],
)
def test_a_filter_knows_which_directories_may_have_what_it_chooses(include, exclude, directory, is_concerned) -> None:
    assert PathFilter(include, exclude).accepts_below(directory) is is_concerned


async def test_an_entry_has_its_kind_and_size(op):
    entries = {entry.path: entry for entry in await op.list("/")}
    file, directory = entries["a.csv"], entries["logs/"]
    assert (file.is_file, file.is_dir, file.size) == (True, False, 4)
    assert (directory.is_file, directory.is_dir, directory.size) == (False, True, None)
    assert isinstance(file, Entry)


async def test_a_directory_that_the_pattern_finds_and_that_may_not_be_read_does_not_end_it(op):
    await op.write("closed/a.csv", b"")
    closed = op.layer(Closed())
    async with closed.glob("*/*.csv") as lister:
        assert [entry.path async for entry in lister] == ["2026-01/a.csv"]
        assert {(error.path, error.kind) for error in lister.left_out()} == {("closed/", "PermissionDenied")}
    with pytest.raises(PermissionDenied):
        [entry async for entry in closed.glob("closed/*")]


async def test_a_listing_that_is_refused_after_its_first_page_is_not_taken_for_a_short_one(op):
    class Expiring(Layer):
        """Credentials that expire after the first page of the root."""

        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            class Wrapped(LayeredAccessor):
                async def list(self, path, args):
                    response, body = await self.inner.list(path, args)
                    return response, ThenRefused(body) if path == "/" else body

            return Wrapped(accessor)

    for pattern in ("*.csv", "*/*.csv", "**/*.csv"):
        with pytest.raises(PermissionDenied):
            [entry async for entry in op.layer(Expiring()).glob(pattern)]
