"""Request signing, independent of any service."""
