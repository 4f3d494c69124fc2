"""Objects on a web server."""

from .config import Http

__all__ = ["Http"]
