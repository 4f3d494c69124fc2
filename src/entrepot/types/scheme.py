"""The schemes of services."""

from enum import StrEnum
from typing import Any, Final

ENTRY_POINT_GROUP: Final = "entrepot.services"
"""The group of the entry points by which a package adds a service, each named after its scheme."""


class Scheme(StrEnum):
    """The scheme of an installed service.

    The members are the services that come with entrepot. `Scheme("duck")` is the scheme of a package that is
    installed; a plain `str` serves as well wherever a scheme is expected.

    Raises:
        ValueError: no installed service has the scheme.
    """

    # Written by `python tools/generate_services.py`
    AZBLOB = "azblob"
    AZDLS = "azdls"
    ETCD = "etcd"
    FS = "fs"
    FTP = "ftp"
    GCS = "gcs"
    HF = "hf"
    HTTP = "http"
    MEMORY = "memory"
    POSTGRESQL = "postgresql"
    REDIS = "redis"
    S3 = "s3"
    SFTP = "sftp"
    SQLITE = "sqlite"
    TAR = "tar"
    WEBDAV = "webdav"
    WEBHDFS = "webhdfs"
    ZIP = "zip"
    # until here

    def __reduce_ex__(self, _protocol: Any) -> "tuple[type[Scheme], tuple[str]]":
        """Pickles the value: Python 3.11.2 takes the name of a member, which the scheme of a package is not."""
        return Scheme, (self.value,)

    @classmethod
    def _missing_(cls, value: object) -> "Scheme | None":
        """The scheme of a package, or a built-in one in other letters; made once, so that `is` compares it."""
        if not isinstance(value, str):
            return None
        lowered = value.lower()
        if lowered in cls._value2member_map_:
            return cls(lowered)
        return cls._add(lowered) if _is_installed(lowered) else None

    @classmethod
    def _add(cls, scheme: str) -> "Scheme":
        member = str.__new__(cls, scheme)
        member._name_ = scheme.upper()
        member._value_ = scheme
        cls._value2member_map_[scheme] = member
        return member


def _is_installed(scheme: str) -> bool:
    from importlib.metadata import entry_points

    return any(entry.name.lower() == scheme for entry in entry_points(group=ENTRY_POINT_GROUP))
