"""Every command line of `entrepot` that a page shows has a verb and options that exist."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from entrepot.cli.program import VERBS, program
from tests.docs.markdown import PROJECT, SOURCES, blocks

ENDS = {"|", "&&", ";"}
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *SOURCES.glob("services/*/docs.md")]


def _texts() -> Iterator[str]:
    """The lines of shell blocks, and code within sentences that is more than a name."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            yield from block.text.splitlines()
        yield from (code for code in re.findall(r"`(entrepot [^`\n]+)`", page.read_text()) if "VERB" not in code)


def _commands(text: str) -> Iterator[tuple[str, ...]]:
    """The words behind each `entrepot` that is a program, up to the end of its command."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words = list(lexer)
    starts = [
        position
        for position, word in enumerate(words)
        if word == "entrepot" and (position == 0 or words[position - 1] in ENDS or "=" in words[position - 1])
    ]
    for start in starts:
        end = next((position for position in range(start, len(words)) if words[position] in ENDS), len(words))
        yield tuple(words[start + 1 : end])


COMMANDS = sorted({command for text in _texts() for command in _commands(text) if not command[0].startswith("-")})


def test_the_pages_have_command_lines() -> None:
    assert len(COMMANDS) > 30
    assert {"ls", "cp", "cat", "sync", "serve"} <= {command[0] for command in COMMANDS} & VERBS.keys()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_line_is_understood(words: tuple[str, ...]) -> None:
    verb = program.get_command(click.Context(program), words[0])
    assert verb is not None, f"there is no verb {words[0]!r}"
    with suppress(click.MissingParameter):  # a sentence may name a verb and its options only
        verb.make_context(words[0], list(words[1:]))
