"""Content of objects on the standard output."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from entrepot import Error, IsADirectory

from .output import Output
from .places import Place, is_standard
from .selection import expanded
from .session import Session
from .standard_input import blocks_of_input


def check_file(place: Place) -> None:
    """Refuses a directory.

    Raises:
        IsADirectory: it is one.
    """
    if place.is_directory:
        raise IsADirectory("this is a directory")


async def write_object(output: Output, place: Place, **options: Any) -> None:
    """Writes an object to the standard output as it arrives.

    Arguments:
        output: the standard output.
        place: the object.
        options: the options of `reader`.
    """
    check_file(place)
    async with place.operator.reader(place.path, **options) as reader:
        async for chunk in reader:
            await output.write(chunk)


async def write_words(session: Session, words: tuple[str, ...], *, is_raw: bool, **options: Any) -> None:
    """Writes what words mean to the standard output, one after the other. A word that fails is reported.

    Arguments:
        session: has the output.
        words: the words; `-` is the standard input.
        is_raw: take wildcards as ordinary characters.
        options: the options of `reader`.
    """
    for word in words:
        if is_standard(word):
            async with aclosing(blocks_of_input()) as blocks:
                async for block in blocks:
                    await session.output.write(block)
            continue
        async with aclosing(expanded(session, (word,), is_raw=is_raw)) as places:
            async for place in places:
                try:
                    await write_object(session.output, place, **options)
                except Error as error:
                    session.fail(place.name, error)
