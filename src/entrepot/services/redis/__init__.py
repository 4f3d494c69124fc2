"""Objects in a Redis or Valkey server."""

from .config import Redis

__all__ = ["Redis"]
