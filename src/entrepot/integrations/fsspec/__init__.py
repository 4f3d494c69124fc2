"""File systems of fsspec over entrepot.

    import fsspec

    with fsspec.open("entrepot+s3://bucket/a.csv", region="eu-west-1") as file:
        ...

The protocols `entrepot+s3`, `entrepot+fs` and the like are known to fsspec as soon as entrepot is installed. `register`
takes over `s3`, `file`, `memory` and `http` too. `EntrepotFileSystem` is a file system over an operator of yours, with
its layers. Needs the extra `fsspec`.
"""

from entrepot.integrations.extras import not_installed

try:
    import fsspec as _fsspec  # noqa: F401 - the modules below need it
except ImportError as error:
    raise not_installed("fsspec", error) from error

from entrepot import services as _services

from .by_service import ServiceFileSystem, file_system_class
from .files import EntrepotFile, EntrepotStreamedFile
from .filesystem import EntrepotFileSystem
from .registration import register

__all__ = [
    "EntrepotFile",
    "EntrepotFileSystem",
    "EntrepotStreamedFile",
    "ServiceFileSystem",
    "file_system_class",
    "register",
]

_SUFFIX = "FileSystem"


def __getattr__(name: str) -> object:
    """The class of the file system of each service: `S3FileSystem` for `entrepot.services.S3`."""
    service = getattr(_services, name.removesuffix(_SUFFIX), None) if name.endswith(_SUFFIX) else None
    if service is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return file_system_class(service.SCHEME)
