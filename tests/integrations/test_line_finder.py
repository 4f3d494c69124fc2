"""Lines of files of fsspec are those that a file of Python gives, wherever blocks begin and end."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import Operator
from entrepot.integrations.fsspec import EntrepotFileSystem
from entrepot.integrations.fsspec.line_finder import BLOCK, LineFinder
from entrepot.services import Memory

LENGTHS = st.sampled_from([0, 1, 2, 7, BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
SIZES = st.one_of(st.none(), st.integers(-2, 9), LENGTHS)
CALLS = st.one_of(
    st.tuples(st.sampled_from(["readline", "readlines"]), SIZES),
    st.tuples(st.just("read"), LENGTHS),
    st.tuples(st.just("readline")),
    st.tuples(st.just("seek"), st.integers(0, 4 * BLOCK)),
    st.tuples(st.just("__next__")),
)


def outcome(file: Any, call: tuple[Any, ...]) -> tuple[Any, int]:
    """What a call returns, or the type of what it raises, and the position after it."""
    name, *args = call
    try:
        result = getattr(file, name)(*args)
    except StopIteration as error:
        result = type(error)
    return result, file.tell()


@settings(deadline=None)
@given(lengths=st.lists(LENGTHS, max_size=5), ends=st.booleans(), calls=st.lists(CALLS, max_size=12))
def test_lines_are_those_of_a_file_of_python(lengths: list[int], ends: bool, calls: list[tuple[Any, ...]]) -> None:
    content = b"\n".join(b"x" * length for length in lengths) + b"\n" * ends
    fs = EntrepotFileSystem(Operator(Memory()))
    fs.pipe("a", content)
    with fs.open("a") as file, io.BufferedReader(io.BytesIO(content)) as expected:  # type: ignore[arg-type]
        for call in calls:
            assert outcome(file, call) == outcome(expected, call)


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_a_separator_may_lie_in_two_blocks(block: int) -> None:
    content = b"ab\r\ncd\re\r\n\r\nf\r"
    lines = LineFinder(lambda start, stop: content[start:stop], len(content))
    read, at = [], 0
    while line := lines.read(at, len(content), b"\r\n", block):
        read.append(line)
        at += len(line)
    assert read == [b"ab\r\n", b"cd\re\r\n", b"\r\n", b"f\r"]


def test_a_block_is_fetched_once_for_all_its_lines() -> None:
    content = b"line\n" * 10_000
    fetched: list[tuple[int, int]] = []

    def fetch(start: int, stop: int) -> bytes:
        fetched.append((start, stop))
        return content[start:stop]

    lines = LineFinder(fetch, len(content))
    for at in range(0, len(content), 5):
        assert lines.read(at, at + 100) == b"line\n"
    assert sum(stop - start for start, stop in fetched) == len(content)


def test_a_fetch_that_fails_leaves_no_block_in_the_wrong_place() -> None:
    content = b"a\n" * (BLOCK // 2) + b"b\n" * (BLOCK // 2)
    errors = [OSError("the connection is lost")]

    def fetch(start: int, stop: int) -> bytes:
        if start == BLOCK and errors:
            raise errors.pop()
        return content[start:stop]

    lines = LineFinder(fetch, len(content))
    assert lines.read(0, len(content)) == b"a\n"
    with pytest.raises(OSError, match="lost"):
        lines.read(BLOCK, len(content))
    assert lines.read(BLOCK, len(content)) == b"b\n"


@pytest.mark.parametrize("call", [("readline", 3), ("readline",), ("readuntil",), ("readlines",), ("__next__",)])
def test_no_line_of_a_file_that_is_closed_or_writes(call: tuple[Any, ...]) -> None:
    fs = EntrepotFileSystem(Operator(Memory()))
    fs.pipe("a", b"1\n2\n")
    name, *args = call
    with fs.open("a") as file:
        assert file.readline() == b"1\n"
    with fs.open("b", "wb") as writing:
        for each in (file, writing):
            with pytest.raises(ValueError, match=r"closed|read mode"):
                getattr(each, name)(*args)
