"""Objects in memory."""

from .config import Memory

__all__ = ["Memory"]
