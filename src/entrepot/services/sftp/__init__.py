"""Files on an SSH server, over SFTP."""

from .config import Sftp

__all__ = ["Sftp"]
