"""Objects in Google Cloud Storage and in servers that speak its JSON API."""

from .config import Gcs

__all__ = ["Gcs"]
