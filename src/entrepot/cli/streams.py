"""Content of objects on the standard output."""

from __future__ import annotations

from typing import Any

from entrepot import IsADirectory

from .output import Output
from .places import Place


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
