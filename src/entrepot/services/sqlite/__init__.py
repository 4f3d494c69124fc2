"""Objects in a table of an SQLite database."""

from .config import Sqlite

__all__ = ["Sqlite"]
