"""The error for a library that is not installed."""

from __future__ import annotations


def not_installed(extra: str, cause: ImportError) -> ImportError:
    """Returns the error to raise when the library of an integration cannot be imported.

    Arguments:
        extra: the extra of entrepot that installs the library.
        cause: the error of the import.
    """
    message = f'entrepot.integrations.{extra} needs {cause.name}: pip install "entrepot[{extra}]"'
    return ImportError(message, name=cause.name, path=cause.path)
