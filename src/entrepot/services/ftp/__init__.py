"""Files on an FTP server, plain or over TLS."""

from .config import Ftp

__all__ = ["Ftp"]
