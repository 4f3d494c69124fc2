"""The services by scheme. The registry holds strings; a service is imported when its class is requested."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw import ServiceConfig
from entrepot.types.scheme import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SCHEMES: Final = {
    # Written by `python tools/generate_services.py`
    "abfs": "Azdls",
    "abfss": "Azdls",
    "az": "Azblob",
    "azblob": "Azblob",
    "azdls": "Azdls",
    "dav": "Webdav",
    "davs": "Webdav",
    "etcd": "Etcd",
    "file": "Fs",
    "fs": "Fs",
    "ftp": "Ftp",
    "ftps": "Ftp",
    "gcs": "Gcs",
    "gs": "Gcs",
    "hf": "Hf",
    "http": "Http",
    "https": "Http",
    "huggingface": "Hf",
    "memory": "Memory",
    "postgres": "Postgresql",
    "postgresql": "Postgresql",
    "redis": "Redis",
    "rediss": "Redis",
    "s3": "S3",
    "s3a": "S3",
    "sftp": "Sftp",
    "sqlite": "Sqlite",
    "ssh": "Sftp",
    "swebhdfs": "Webhdfs",
    "tar": "Tar",
    "valkey": "Redis",
    "valkeys": "Redis",
    "wasb": "Azblob",
    "wasbs": "Azblob",
    "webdav": "Webdav",
    "webhdfs": "Webhdfs",
    "zip": "Zip",
    # until here
}
"""The name in `entrepot.services` of the class of each built-in scheme and alias."""


def service_class(scheme: str) -> type[ServiceConfig]:
    """The configuration class of a scheme, from entrepot itself or an installed package.

    Packages add theirs as an entry point of the group `entrepot.services`, named after the scheme.

    Raises:
        ConfigInvalid: no service has the scheme (the nearest and the known ones are named), or the package that
            registers it cannot be imported or registers something else.
    """
    if not isinstance(scheme, str):
        raise _invalid(f"a scheme is str, not {type(scheme).__name__}")
    lowered = scheme.lower()
    if (name := SCHEMES.get(lowered)) is not None:
        built_in: type[ServiceConfig] = getattr(import_module("entrepot.services"), name)
        return built_in
    if (entry := _installed().get(lowered)) is not None:
        return _loaded(entry)
    raise _invalid(_unknown(lowered))


def schemes() -> list[str]:
    """The schemes and aliases of all installed services, sorted."""
    return sorted({*SCHEMES, *_installed()})


def _unknown(scheme: str) -> str:
    """The message about a scheme, which it does not repeat: a URI without `://` may be a secret."""
    from difflib import get_close_matches

    nearest = get_close_matches(scheme, schemes(), n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return (
        f"no service of this scheme is built in or installed{hint}; the known ones are {', '.join(schemes())}; "
        f"a package adds one by an entry point of the group {ENTRY_POINT_GROUP!r}"
    )


def _installed() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name.lower(): entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _loaded(entry: EntryPoint) -> type[ServiceConfig]:
    try:
        loaded = entry.load()
    except Exception as error:  # the import of a package may raise any error
        raise _invalid(f"{_described(entry)} cannot be loaded") from error
    if not (isinstance(loaded, type) and issubclass(loaded, ServiceConfig)):
        raise _invalid(f"{_described(entry)} is not a subclass of ServiceConfig")
    return loaded


def _described(entry: EntryPoint) -> str:
    package = "an installed package" if entry.dist is None else f"the package {entry.dist.name}"
    return f"the scheme {entry.name!r} of {package} ({entry.value})"


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
