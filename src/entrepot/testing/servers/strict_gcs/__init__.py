"""A server with the parts of Google Cloud Storage that no emulator has, written after its documentation."""

from .server import StrictGcs, strict_gcs

__all__ = ["StrictGcs", "strict_gcs"]
