"""Content of objects on the standard output."""

from __future__ import annotations

from typing import Any

from .output import Output
from .places import Place


async def write_object(output: Output, place: Place, **options: Any) -> None:
    """Writes an object to the standard output as it arrives.

    Arguments:
        output: the standard output.
        place: the object.
        options: the options of `reader`.
    """
    async with place.operator.reader(place.path, **options) as reader:
        async for chunk in reader:
            await output.write(chunk)
