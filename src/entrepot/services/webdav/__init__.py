"""Files on a WebDAV server."""

from .config import Webdav

__all__ = ["Webdav"]
