"""The error of a configuration that cannot be used, for code that has only a part of it."""

from entrepot.errors import ConfigInvalid


def invalid(message: str) -> ConfigInvalid:
    """The error of a configuration of the service."""
    return ConfigInvalid(message, scheme="s3", operation="configure")
