"""Keeps a method that a subclass overrides from being bypassed by a faster method of its base."""

from __future__ import annotations


def keep_override(cls: type, method: str, faster: str, default: object) -> None:
    """Gives a class the default of a faster method, if it overrides the method that the default calls.

    Called by `__init_subclass__` of an interface with both methods. Without it, a class that overrides `read` and
    inherits a `readinto` of its own from a helper would have its `read` bypassed.

    Arguments:
        cls: the new class.
        method: the name of the method that every implementation has.
        faster: the name of the method that does the same faster.
        default: the interface's implementation of `faster`, which calls `method`.
    """
    if _distance(cls, method) < _distance(cls, faster):
        setattr(cls, faster, default)


def _distance(cls: type, name: str) -> int:
    """How far up the classes the one is that defines the name; further than all of them if none does."""
    mro = cls.__mro__
    return next((distance for distance, base in enumerate(mro) if name in vars(base)), len(mro))
