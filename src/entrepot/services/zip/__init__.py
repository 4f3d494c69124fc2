"""The members of a zip archive in another storage."""

from .config import Zip

__all__ = ["Zip"]
