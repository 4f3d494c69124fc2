"""Objects in a table of a PostgreSQL database."""

from .config import Postgresql

__all__ = ["Postgresql"]
