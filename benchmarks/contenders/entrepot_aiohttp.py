"""entrepot with its transport over aiohttp in place of its own, to see what the transport changes."""

from typing import ClassVar

from . import entrepot


class S3(entrepot.S3):
    OPTIONS: ClassVar = {"http": "aiohttp"}
