"""The members of a tar archive in another storage."""

from .config import Tar

__all__ = ["Tar"]
