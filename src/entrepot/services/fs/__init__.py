"""Files of a local directory."""

from .config import Fs

__all__ = ["Fs"]
