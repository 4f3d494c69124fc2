"""What a refusal means that comes before the first call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from entrepot.errors import PermissionDenied


@contextmanager
def logging_in() -> Iterator[None]:
    """Around a login, or the search for credentials: what is refused there is refused to every call."""
    try:
        yield
    except PermissionDenied as error:
        error.refuses_credentials = True
        raise
