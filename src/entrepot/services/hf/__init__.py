"""Files in a repository of the Hugging Face Hub."""

from .config import Hf

__all__ = ["Hf"]
