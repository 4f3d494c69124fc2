"""Objects behind a web server."""

from .config import Http

__all__ = ["Http"]
