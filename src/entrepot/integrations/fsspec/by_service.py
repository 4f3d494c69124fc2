"""The file systems of services, whose paths name the bucket or host as well. fsspec finds them by protocol."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Final

from fsspec.utils import stringify_path

from entrepot.services.registry import service_class

from .addresses import addresses_of, has_location, is_by_url
from .filesystem import OperatorsFileSystem
from .other_file_systems import S3FS_NAMES, configuration_of

_LISTING_OPTIONS: Final = {
    "listings_expiry_time": "listings_expiry_time",
    "cache_timeout": "listings_expiry_time",
    "max_paths": "max_paths",
}
_FILE_OPTIONS: Final = {
    "default_block_size": "default_block_size",
    "block_size": "default_block_size",
    "blocksize": "default_block_size",
    "default_cache_type": "default_cache_type",
}
"""The names that file systems have for the options of fsspec, and which of ours they are."""

_OPTION_OF_DATASETS: Final = "hf"
"""Hugging Face datasets add options of their own, with a token among them, to the dictionary of the caller."""


class ServiceFileSystem(OperatorsFileSystem):
    """The base of the file systems of services, whose paths name the bucket or host. See `file_system_class`.

    Arguments:
        options: configuration values of the service, and the arguments of fsspec: `asynchronous`, `loop`, `batch_size`,
            `use_listings_cache`, `listings_expiry_time`, `max_paths`, `skip_instance_cache`; `default_block_size` and
            `default_cache_type` of the files that are opened; and the options of s3fs, gcsfs and adlfs.

    Raises:
        ConfigInvalid: a value is missing, unknown or invalid.
        InvalidInput: the values set what each path names: the location or the root; or an option of another file system
            has no counterpart.

    Attributes:
        SCHEME: the scheme of the service.
        OPTION_NAMES: further names of configuration values, which other file systems have for them.
    """

    SCHEME: ClassVar[str]
    OPTION_NAMES: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        *,
        asynchronous: bool = False,
        loop: Any = None,
        batch_size: int | None = None,
        use_listings_cache: bool = False,
        **options: Any,
    ) -> None:
        options.pop(_OPTION_OF_DATASETS, None)
        listings = _taken(options, _LISTING_OPTIONS)
        files = _taken(options, _FILE_OPTIONS)
        super().__init__(
            addresses_of(self.SCHEME, configuration_of(self.SCHEME, options)),
            asynchronous=asynchronous,
            loop=loop,
            batch_size=batch_size,
            use_listings_cache=use_listings_cache,
            **listings,
            **files,
        )

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Returns a dictionary that `from_dict` makes an equal file system from.

        Arguments:
            include_password: include the secrets among the options. By default True.
        """
        values: dict[str, Any] = super().to_dict(include_password=include_password)
        return values if include_password else self._without_secrets(values)

    @classmethod
    def _without_secrets(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        secrets = _secret_names(cls.SCHEME)
        return {
            name: cls._without_secrets(value) if isinstance(value, Mapping) else value
            for name, value in values.items()
            if name != _OPTION_OF_DATASETS and cls.OPTION_NAMES.get(name, name) not in secrets
        }

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return cls._normalized(super()._strip_protocol(path))

    @classmethod
    def _normalized(cls, name: str) -> str:
        """A path without protocol as this file system writes it."""
        return name

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.SCHEME, self.storage_options)


class LocationFileSystem(ServiceFileSystem):
    """Paths begin with a location: `bucket/a/b`."""


class UrlFileSystem(ServiceFileSystem):
    """Paths are URLs: `https://host/a/b`."""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return stringify_path(path).removeprefix("entrepot+").rstrip("/")

    async def _glob(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        self.located(path)  # a query is not a pattern
        return await super()._glob(path, *args, **kwargs)

    def unstrip_protocol(self, name: str) -> str:
        return f"entrepot+{self._strip_protocol(name)}"


class InPlaceFileSystem(ServiceFileSystem):
    """Paths are absolute: `/a/b`."""

    root_marker = "/"

    @classmethod
    def _normalized(cls, name: str) -> str:
        return f"/{name.lstrip('/')}"


class LocalFileSystem(InPlaceFileSystem):
    """Paths are those of local files. Relative ones are made absolute, and `~` is the home directory."""

    @classmethod
    def _normalized(cls, name: str) -> str:
        return os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111 - links stay as they are


class BucketFileSystem(LocationFileSystem):
    """Paths begin with a bucket: `bucket/a/b`. The options may have the names of s3fs."""

    OPTION_NAMES = S3FS_NAMES


@cache
def file_system_class(scheme: str) -> type[ServiceFileSystem]:
    """Returns the class of the file system of a service.

    Its protocols are `entrepot+` and the scheme of the service, the same with each alias, and the names that `register`
    takes over.

    Arguments:
        scheme: the scheme of the service, or an alias.

    Raises:
        ConfigInvalid: the scheme is unknown. The message lists the known ones.
    """
    service = service_class(scheme)
    if scheme != service.SCHEME:
        return file_system_class(service.SCHEME)
    names = (service.SCHEME, *service.ALIASES)
    attributes = {
        "__doc__": service.__doc__,
        "__module__": __package__,
        "SCHEME": service.SCHEME,
        "protocol": (*(f"entrepot+{name}" for name in names), *names, *_OTHER_NAMES.get(service.SCHEME, ())),
    }
    return type(f"{service.__name__}FileSystem", (_base_of(service.SCHEME),), attributes)


def _base_of(scheme: str) -> type[ServiceFileSystem]:
    if scheme in _BASES:
        return _BASES[scheme]
    if is_by_url(scheme):
        return UrlFileSystem
    return LocationFileSystem if has_location(scheme) else InPlaceFileSystem


_OTHER_NAMES: Final = {"fs": ("local",), "s3": ("s3a",)}
"""Protocols that fsspec has besides the scheme and its aliases."""

_BASES: Final[dict[str, type[ServiceFileSystem]]] = {"fs": LocalFileSystem, "s3": BucketFileSystem}


def _taken(options: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Removes the options of some names, and returns those with a value by our names."""
    found = {names[name]: options.pop(name) for name in names if name in options}
    return {name: value for name, value in found.items() if value is not None}


def _restore(scheme: str, options: dict[str, Any]) -> ServiceFileSystem:
    return file_system_class(scheme)(**options)


def _secret_names(scheme: str) -> frozenset[str]:
    """The names of the configuration values that no repr shows."""
    secret = [field for field in fields(service_class(scheme)) if not field.repr]  # type: ignore[arg-type]
    return frozenset(name for field in secret for name in (field.name, *field.metadata.get("aliases", ())))
