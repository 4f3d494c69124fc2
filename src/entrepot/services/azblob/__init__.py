"""Objects in a table."""

from .config import Azblob

__all__ = ["Azblob"]
