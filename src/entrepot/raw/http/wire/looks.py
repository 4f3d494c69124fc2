"""Looks at a socket: system calls that say what has happened to it, and do not wait.

gevent replaces `select.poll` by a class that lets other greenlets run even if it need not wait. A look is made in
callbacks of an event loop, which must be over before anything else runs. There the system call is made by `ctypes`.
"""

import select
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType
from typing import TypeAlias

Look: TypeAlias = Callable[[int], Sequence[object]]
"""Called with 0 milliseconds, says whether there is news: empty if there is none."""


def look_for(descriptor: int, events: int) -> Look:
    """Returns the look at a socket for some events of `select.poll`. It always reports errors and the end as well."""
    is_of_python = isinstance(select.poll, BuiltinFunctionType)
    if not is_of_python:
        return _system_call(descriptor, events)
    poll = select.poll()
    poll.register(descriptor, events)
    return poll.poll


def _system_call(descriptor: int, events: int) -> Look:
    import ctypes

    class Watched(ctypes.Structure):
        """`struct pollfd`."""

        _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))

    poll, watched = ctypes.PyDLL(None).poll, Watched(descriptor, events)

    def look(milliseconds: int) -> Sequence[object]:
        return [watched.revents] if poll(ctypes.byref(watched), ctypes.c_ulong(1), milliseconds) > 0 else []

    return look
