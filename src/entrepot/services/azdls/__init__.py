"""Objects in a table."""

from .config import Azdls

__all__ = ["Azdls"]
