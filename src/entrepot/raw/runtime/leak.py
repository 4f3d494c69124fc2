"""`leak`, for what the child of a fork inherits and must never release."""

import ctypes


def leak(inherited: object) -> None:
    """Keeps an object alive beyond the end of the interpreter, so that no finalizer of it ever runs."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
