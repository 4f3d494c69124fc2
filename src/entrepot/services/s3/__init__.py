"""Objects in S3 and in servers that speak its protocol."""

from .config import S3

__all__ = ["S3"]
