"""`Storage`: what a service can be built over (`composite.py`)."""

from __future__ import annotations


class Storage:
    """A storage that a service can be built over. Operators are."""

    __slots__ = ()
