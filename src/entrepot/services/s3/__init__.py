"""Objects in S3 and what speaks its protocol."""

from .config import S3

__all__ = ["S3"]
