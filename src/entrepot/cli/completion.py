"""Completion of places in a shell: local paths by the shell itself, others by a listing."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from entrepot import Error

from .session import Session, Settings

_PATIENCE: Final = 3.0
"""Seconds that a listing may take: somebody waits at the keyboard."""

_MOST: Final = 200
"""The most names that are offered."""

_ELSEWHERE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]+/|[A-Za-z0-9_-]+:")


class PlaceWord(click.ParamType):  # type: ignore[type-arg]  # older releases have none
    """A word of the command line that leads to a place. It stays text, since the verb finds the place."""

    name = "place"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if _ELSEWHERE.match(incomplete) is None:
            return [CompletionItem(incomplete, type="file")]
        try:
            return [CompletionItem(name) for name in asyncio.run(_names(incomplete))]
        except (Error, click.ClickException, TimeoutError):
            return []  # the command itself will say what is wrong

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)


PLACE: Final = PlaceWord()


async def _names(word: str) -> list[str]:
    """What a word can be completed to: names with the same start in the same directory."""
    session = Session("complete", Settings({}, retries=0))
    try:
        place = session.find(word)
        directory, _, start = place.path.rpartition("/")
        names = list[str]()
        async with asyncio.timeout(_PATIENCE), place.operator.lister(f"{directory}/") as lister:
            async for entry in lister:
                if entry.path.startswith(f"{directory}/{start}" if directory else start) and entry.path != "/":
                    names.append(place.name_of(entry.path))
                if len(names) == _MOST:
                    break
        return names
    finally:
        await session.close()
