"""A pattern that is compiled on first use behaves as a compiled one."""

import re

import pytest

from entrepot.types import patterns
from entrepot.types.patterns import pattern


@pytest.mark.parametrize(
    ("text", "flags", "method", "arguments"),
    [
        ("a(b)?", 0, "fullmatch", ("ab",)),
        ("A", re.IGNORECASE, "search", ("ba",)),
        (rb"a", 0, "match", (b"ab",)),
        ("a", 0, "sub", ("b", "aa")),
        ("a", 0, "split", ("bab",)),
        ("[ab]", 0, "findall", ("abc",)),
    ],
)
def test_its_methods_return_what_those_of_a_compiled_pattern_do(text, flags, method, arguments):
    ours, theirs = pattern(text, flags), re.compile(text, flags)
    for _ in range(2):
        results = [getattr(each, method)(*arguments) for each in (ours, theirs)]
        assert [repr(result) for result in results] == [repr(results[1])] * 2


def test_it_is_compiled_once_and_not_before_its_first_use(monkeypatch):
    compiled = []
    original = re.compile
    monkeypatch.setattr(patterns.re, "compile", lambda *arguments: compiled.append(arguments) or original(*arguments))
    made = pattern("a")
    assert compiled == []
    assert made.fullmatch("a") and made.match("a") and made.fullmatch("a")
    assert compiled == [("a", 0)]
    with pytest.raises(AttributeError, match="scanner"):
        getattr(made, "scanner")  # noqa: B009 - the expression alone would be useless
