"""Which objects the words of a command line mean: patterns are expanded, and directories are recognized."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from entrepot import EntryMode, Metadata, NotFound

from .places import Place
from .session import Session

NO_MATCH = "nothing matches"


async def expanded(session: Session, words: tuple[str, ...], *, is_raw: bool = False) -> AsyncGenerator[Place, None]:
    """Yields the places of words, those of a pattern one by one. A word that fails is reported, and the others go on.

    Arguments:
        session: reports.
        words: the words.
        is_raw: take wildcards as ordinary characters.
    """
    places = [session.find(word) for word in words]
    session.check_values()
    for place in places:
        if is_raw or not place.is_pattern:
            yield place
            continue
        async for match in matches(session, place):
            yield match


async def matches(session: Session, pattern: Place) -> AsyncGenerator[Place, None]:
    """Yields the objects that a pattern matches. If there are none, that is reported."""
    is_empty = True
    async for entry in pattern.operator.glob(pattern.path):
        is_empty = False
        yield pattern.at(entry.path)
    if is_empty:
        session.fail(pattern.name, NotFound(NO_MATCH))


async def described(place: Place) -> tuple[Place, Metadata]:
    """The metadata of a place, which is a directory if it is no object and something is below it.

    Raises:
        NotFound: there is neither.
    """
    if not place.is_directory:
        try:
            metadata = await place.operator.stat(place.path)
        except NotFound:
            if not await has_contents(place):
                raise
            return place.as_directory(), Metadata(EntryMode.DIR)
        return (place.as_directory() if metadata.is_dir else place), metadata
    return place, await place.operator.stat(place.path)


async def has_contents(place: Place) -> bool:
    """Whether anything is below a place."""
    if not place.operator.info.capability.list:
        return False
    async with place.operator.lister(place.as_directory().path, limit=1) as lister:
        async for entry in lister:
            return entry.path != place.as_directory().path or entry.is_dir
    return False
